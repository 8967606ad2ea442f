import { z } from 'zod';
import type { Connection, Connector, EraseContext, EraseResult } from '../../src/connector-kit/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { Failure } from '../../src/platform/failure.ts';
import type { Stepping } from './stepping.ts';

/** What is true at one vendor of one person: what the explorer knows and Quittance has to find out. */
export interface VendorTruth {
  isPresent: boolean;
  /** Answers by idempotency key: the same key gets the same answer, and no second effect. */
  readonly jobs: Record<string, 'running' | 'finished' | 'failed'>;
  /** Keys in the order in which they came: each different one is an effect. */
  readonly keys: string[];
  /** Deletions that really happened, and those that were said to have and had not. */
  effects: number;
  lies: number;
  /** Something that is too young to be erased, and since then of age. */
  isTooYoung: boolean;
}

/** A vendor of which nothing was asked yet, and which holds the person. */
export function newTruth(isTooYoung: boolean): VendorTruth {
  return { isPresent: true, jobs: {}, keys: [], effects: 0, lies: 0, isTooYoung };
}

/** What the vendors need of the explorer. */
export interface VendorScript {
  readonly stepping: Stepping;
  readonly truthOf: (system: string, identifier: Identifier) => VendorTruth;
  /** Chooses what happens: the first is what a well-behaved vendor does; those that end in `!` cost something. */
  readonly choose: (what: string, options: readonly string[]) => string;
  /** Called before every erasing call: is the intent recorded? */
  readonly onErase: (system: string, identifier: Identifier) => Promise<void>;
  /** Gives the key that is sent; a planted bug gives another. */
  readonly keyOf: (context: EraseContext, generation: number) => string;
}

/** What the connector keeps between steps; a person's retry begins the next generation of keys. */
interface Cursor {
  readonly generation: number;
  readonly job?: string;
  readonly page?: number;
}

/** `asynchronous`: erases by a job of its own and knows idempotency keys. `immediate`: is looked at and then deleted from. `blind`: knows nobody by an e-mail address. */
const styleSchema = z.enum(['asynchronous', 'immediate', 'blind']);
/** How a vendor works. */
export type Style = z.infer<typeof styleSchema>;
const configSchema = z.object({ system: z.string(), style: styleSchema });
type Config = z.infer<typeof configSchema>;
const unavailable = (): Failure => new Failure('VENDOR_UNAVAILABLE', 'The scripted vendor is down');
const timedOut = (): Failure => new Failure('VENDOR_TIMEOUT', 'The scripted vendor did not answer');
const pollMs = 15_000;
/** When what is too young comes of age: long after everything else is over. */
export const youngMs = 30 * 24 * 3_600_000;

/** Makes the connector of all the vendors. */
export function createScriptedConnector(script: VendorScript): Connector<Config> {
  const call = <Value>(pauseAt: string | undefined, work: () => Promise<Value>): Promise<Value> => script.stepping.operation('vendor', pauseAt, work);

  const erased = (cursor: Cursor): EraseResult => ({ state: 'done', outcome: 'erased', counts: { records: 1 }, residue: [], cursor: { ...cursor } });

  const accept = async (config: Config, context: EraseContext, generation: number): Promise<string> =>
    call('call', async () => {
      await script.onErase(config.system, context.identifier);
      const truth = script.truthOf(config.system, context.identifier);
      const key = script.keyOf(context, generation);
      if (truth.jobs[key] !== undefined) return key;
      const what = script.choose(`${config.system} asked to erase`, ['accepts', 'times out after doing it!', 'times out!', 'refuses!']);
      if (what === 'refuses!') throw new Failure('CONNECTION_REFUSED', 'The scripted vendor refused');
      if (what === 'times out!') throw timedOut();
      truth.keys.push(key);
      truth.effects += 1;
      truth.jobs[key] = 'running';
      if (what === 'times out after doing it!') throw timedOut();
      return key;
    });

  const poll = async (config: Config, context: EraseContext, job: string): Promise<'running' | 'finished' | 'failed'> =>
    call('call', async () => {
      const truth = script.truthOf(config.system, context.identifier);
      if (truth.jobs[job] === 'running') {
        const what = script.choose(`${config.system} asked for its job`, ['finished', 'runs on!', 'failed!', 'lies!']);
        if (what === 'runs on!') return 'running';
        truth.jobs[job] = what === 'failed!' ? 'failed' : 'finished';
        if (what === 'finished') truth.isPresent = false;
        if (what === 'lies!') truth.lies += 1;
      }
      return truth.jobs[job] ?? 'failed';
    });

  const eraseByJob = async (config: Config, context: EraseContext, cursor: Cursor): Promise<EraseResult> => {
    const wait = (job: string): EraseResult => ({ state: 'wait', cursor: { ...cursor, job }, afterMs: pollMs, reason: 'vendor_job', vendorJob: job.slice(0, 16) });
    if (cursor.job === undefined) {
      const job = await accept(config, context, cursor.generation);
      await context.save({ ...cursor, job });
      return wait(job);
    }
    switch (await poll(config, context, cursor.job)) {
      case 'running':
        return wait(cursor.job);
      case 'finished':
        return erased(cursor);
      case 'failed':
        return { state: 'operator', code: 'VENDOR_JOB_FAILED', detail: 'The scripted job failed', counts: {}, residue: [], cursor: { ...cursor } };
    }
  };

  const eraseAtOnce = async (config: Config, context: EraseContext, cursor: Cursor): Promise<EraseResult> => {
    const truth = (): VendorTruth => script.truthOf(config.system, context.identifier);
    const isThere = await call('call', async () => truth().isPresent);
    if (!isThere) return { state: 'done', outcome: 'already_absent', counts: {}, residue: [], cursor: { ...cursor } };
    const what = await call('call', async () => {
      await script.onErase(config.system, context.identifier);
      const now = truth();
      if (now.isTooYoung) {
        now.isTooYoung = false;
        return 'retains';
      }
      const chosen = script.choose(`${config.system} asked to erase`, ['erases', ...(cursor.page === undefined ? ['has another page!'] : []), 'times out after doing it!', 'times out!', 'lies!']);
      if (chosen === 'has another page!') return chosen;
      if (chosen === 'times out!') throw timedOut();
      const key = script.keyOf(context, cursor.generation);
      if (!now.keys.includes(key)) now.keys.push(key);
      if (chosen === 'lies!') {
        now.lies += 1;
        return 'erases';
      }
      if (now.isPresent) now.effects += 1;
      now.isPresent = false;
      if (chosen === 'times out after doing it!') throw timedOut();
      return 'erases';
    });
    if (what === 'has another page!') return { state: 'continue', cursor: { ...cursor, page: 1 }, done: 1, total: 2 };
    if (what === 'retains') {
      return { state: 'done', outcome: 'retained', counts: {}, residue: [{ what: 'records', why: 'vendor_retention', until: new Date(context.now() + youngMs).toISOString() }], cursor: { ...cursor }, revisitAt: context.now() + youngMs };
    }
    return erased(cursor);
  };

  const connect = (config: Config): Connection => ({
    check: async () => undefined,
    locate: async (_context, known) => {
      const what = await call(undefined, async () => script.choose(`${config.system} looked up`, ['knows', 'is down!', 'refuses the key!']));
      if (what === 'is down!') throw unavailable();
      if (what === 'refuses the key!') throw new Failure('CONNECTION_AUTH', 'The scripted vendor refused the key');
      return { found: [], knows: [...known] };
    },
    erase: (context) => {
      const before = context.previous as Cursor | null;
      const cursor = (context.cursor as Cursor | null) ?? { generation: before === null ? 0 : before.generation + 1 };
      return config.style === 'asynchronous' ? eraseByJob(config, context, cursor) : eraseAtOnce(config, context, cursor);
    },
    confirm: (context) =>
      call('call', async () => {
        const { isPresent } = script.truthOf(config.system, context.identifier);
        const what = script.choose(`${config.system} read back`, ['truly', 'is down!', ...(isPresent ? [] : ['still shows it!'])]);
        if (what === 'is down!') throw unavailable();
        return isPresent || what === 'still shows it!' ? { state: 'present', found: [context.identifier] } : { state: 'absent' };
      }),
  });

  return {
    name: 'scripted',
    title: 'Scripted vendor',
    config: configSchema,
    capabilities: ({ style }) => ({
      erases: [style === 'blind' ? 'phone' : 'email'],
      locates: [style === 'blind' ? 'phone' : 'email'],
      actions: ['erase'],
      isIdentityMap: false,
      latencyMs: { typical: 1000, worst: 3_600_000 },
      sanitization: 'purge',
      limits: { concurrency: 1, callsPerSecond: 100, burst: 100 },
    }),
    egress: () => [],
    connect,
  };
}
