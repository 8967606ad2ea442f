import { z } from 'zod';
import type { Connection, Connector, EraseContext, EraseResult } from '../../src/connector-kit/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { Failure } from '../../src/platform/failure.ts';
import type { Stepping } from './stepping.ts';

/** What is true at one vendor of one person: what the explorer knows and Quittance has to find out. */
export interface VendorTruth {
  isPresent: boolean;
  /** The vendor's own work, by idempotency key: the same key has no second effect. */
  readonly jobs: Record<string, 'running' | 'finished' | 'failed'>;
  /** The different keys that came, in order. */
  readonly keys: string[];
  /** Deletions that really happened. */
  effects: number;
  /** Something that is too young to be erased, and since then of age. */
  isTooYoung: boolean;
}

/** A vendor of which nothing was asked yet, and which holds the person. */
export function newTruth(isTooYoung: boolean): VendorTruth {
  return { isPresent: true, jobs: {}, keys: [], effects: 0, isTooYoung };
}

/** What the vendors need of the explorer. */
export interface VendorScript {
  readonly stepping: Stepping;
  readonly truthOf: (system: string, identifier: Identifier) => VendorTruth;
  /** Of whichever person a job of the system is about. */
  readonly truthOfJob: (system: string, job: string) => VendorTruth | undefined;
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
const youngMs = 30 * 24 * 3_600_000;

const erased = (cursor: Cursor): EraseResult => ({ state: 'done', outcome: 'erased', counts: { records: 1 }, residue: [], cursor: { ...cursor } });

/** One call to the vendor: a process can stand still before it, and what follows it is another operation. */
const call = <Value>(script: VendorScript, work: () => Promise<Value>): Promise<Value> => script.stepping.operation('vendor', 'call', work);

/** Has the vendor begin its job, or hear that it has begun it before: the answer is the job's name. */
function beginJob(script: VendorScript, system: string, context: EraseContext, generation: number): Promise<string> {
  return call(script, async () => {
    await script.onErase(system, context.identifier);
    const truth = script.truthOf(system, context.identifier);
    const key = script.keyOf(context, generation);
    if (truth.jobs[key] !== undefined) return key;
    const what = script.choose(`${system} asked to erase`, ['accepts', 'times out after doing it!', 'times out!', 'refuses!']);
    if (what === 'refuses!') throw new Failure('CONNECTION_REFUSED', 'The scripted vendor refused');
    if (what === 'times out!') throw timedOut();
    truth.keys.push(key);
    truth.effects += 1;
    truth.jobs[key] = 'running';
    if (what === 'times out after doing it!') throw timedOut();
    return key;
  });
}

/** The vendor's name of a job, made of the key that began it. */
export const jobName = (key: string): string => key.slice(0, 16);

function askForJob(script: VendorScript, system: string, truth: VendorTruth, job: string): Promise<'running' | 'finished' | 'failed'> {
  return call(script, async () => {
    if (truth.jobs[job] === 'running') {
      const what = script.choose(`${system} asked for its job`, ['finished', 'runs on!', 'failed!', 'lies!']);
      if (what === 'runs on!') return 'running';
      truth.jobs[job] = what === 'failed!' ? 'failed' : 'finished';
      if (what === 'finished') truth.isPresent = false;
    }
    return truth.jobs[job] ?? 'failed';
  });
}

async function eraseByJob(script: VendorScript, system: string, context: EraseContext, cursor: Cursor): Promise<EraseResult> {
  const wait = (job: string): EraseResult => ({ state: 'wait', cursor: { ...cursor, job }, afterMs: pollMs, reason: 'vendor_job', vendorJob: jobName(job) });
  if (cursor.job === undefined) {
    const job = await beginJob(script, system, context, cursor.generation);
    await context.save({ ...cursor, job });
    return wait(job);
  }
  switch (await askForJob(script, system, script.truthOf(system, context.identifier), cursor.job)) {
    case 'running':
      return wait(cursor.job);
    case 'finished':
      return erased(cursor);
    case 'failed':
      return { state: 'operator', code: 'VENDOR_JOB_FAILED', detail: 'The scripted job failed', counts: {}, residue: [], cursor: { ...cursor } };
  }
}

/** Asks the vendor to delete what was seen there. */
function deleteSeen(script: VendorScript, system: string, context: EraseContext, cursor: Cursor): Promise<'erases' | 'has another page' | 'retains'> {
  return call(script, async () => {
    await script.onErase(system, context.identifier);
    const truth = script.truthOf(system, context.identifier);
    if (truth.isTooYoung) {
      truth.isTooYoung = false;
      return 'retains';
    }
    const what = script.choose(`${system} asked to erase`, ['erases', ...(cursor.page === undefined ? ['has another page!'] : []), 'times out after doing it!', 'times out!', 'lies!']);
    if (what === 'has another page!') return 'has another page';
    if (what === 'times out!') throw timedOut();
    const key = script.keyOf(context, cursor.generation);
    if (!truth.keys.includes(key)) truth.keys.push(key);
    if (what === 'lies!') return 'erases';
    if (truth.isPresent) truth.effects += 1;
    truth.isPresent = false;
    if (what === 'times out after doing it!') throw timedOut();
    return 'erases';
  });
}

async function eraseAtOnce(script: VendorScript, system: string, context: EraseContext, cursor: Cursor): Promise<EraseResult> {
  const isThere = await call(script, async () => script.truthOf(system, context.identifier).isPresent);
  if (!isThere) return { state: 'done', outcome: 'already_absent', counts: {}, residue: [], cursor: { ...cursor } };
  switch (await deleteSeen(script, system, context, cursor)) {
    case 'erases':
      return erased(cursor);
    case 'has another page':
      return { state: 'continue', cursor: { ...cursor, page: 1 }, done: 1, total: 2 };
    case 'retains': {
      const revisitAt = context.now() + youngMs;
      return { state: 'done', outcome: 'retained', counts: {}, residue: [{ what: 'records', why: 'vendor_retention', until: new Date(revisitAt).toISOString() }], cursor: { ...cursor }, revisitAt };
    }
  }
}

/** What a vendor with jobs of its own has besides: callbacks, here unsigned, and a look at one job. */
function followed(script: VendorScript, system: string): Pick<Connection, 'readCallback' | 'jobState'> {
  return {
    readCallback: ({ body }) => ({ jobs: body.toString('utf8').split(' ') }),
    jobState: async (_context, job) => {
      const truth = script.truthOfJob(system, job);
      const key = Object.keys(truth?.jobs ?? {}).find((each) => jobName(each) === job);
      if (truth === undefined || key === undefined) return 'unknown';
      if (truth.jobs[key] === 'finished') {
        return call(script, async () => {
          if (script.choose(`${system} asked for what it had finished`, ['finished', 'takes it back!']) === 'takes it back!') truth.jobs[key] = 'failed';
          return truth.jobs[key] ?? 'unknown';
        });
      }
      return askForJob(script, system, truth, key);
    },
  };
}

function connect(script: VendorScript, { system, style }: Config): Connection {
  return {
    check: async () => undefined,
    locate: async (_context, known) => {
      const what = await script.stepping.operation('vendor', undefined, async () => script.choose(`${system} looked up`, ['knows', 'is down!', 'refuses the key!', 'shows somebody else!']));
      if (what === 'is down!') throw unavailable();
      if (what === 'refuses the key!') throw new Failure('CONNECTION_AUTH', 'The scripted vendor refused the key');
      if (what === 'shows somebody else!') throw new Failure('SUBJECT_AMBIGUOUS', 'The scripted vendor knows two people by one address');
      return { found: [], knows: [...known] };
    },
    erase: (context) => {
      const before = context.previous as Cursor | null;
      const cursor = (context.cursor as Cursor | null) ?? { generation: before === null ? 0 : before.generation + 1 };
      return style === 'asynchronous' ? eraseByJob(script, system, context, cursor) : eraseAtOnce(script, system, context, cursor);
    },
    confirm: (context) =>
      call(script, async () => {
        const { isPresent } = script.truthOf(system, context.identifier);
        const what = script.choose(`${system} read back`, ['truly', 'is down!', ...(isPresent ? [] : ['still shows it!'])]);
        if (what === 'is down!') throw unavailable();
        return isPresent || what === 'still shows it!' ? { state: 'present', found: [context.identifier] } : { state: 'absent' };
      }),
    ...(style === 'asynchronous' ? followed(script, system) : {}),
  };
}

/** Makes the connector of all the vendors. */
export function createScriptedConnector(script: VendorScript): Connector<Config> {
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
    connect: (config) => connect(script, config),
  };
}
