import { randomUUID } from 'node:crypto';
import { Agent, fetch as undiciFetch } from 'undici';
import { createTestContext, eraseToEnd } from '../src/connector-kit/conformance/index.ts';
import type { Connection, Connector } from '../src/connector-kit/index.ts';
import { connectors } from '../src/connectors/registry.ts';
import type { Identifier } from '../src/contract/identifiers.ts';
import { planTasks } from '../src/modules/orchestration/domain/plan.ts';
import { newId } from '../src/platform/ids.ts';
import { vendorConfig } from './config.ts';
import type { Planted } from './people.ts';
import type { Vendors } from './vendors.ts';

/** One call to a vendor, as it went over the wire. */
interface Call {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** Calls that are made at once; the next ones when all of them were answered. */
type Lane = readonly (readonly Call[])[];

/** The calls of one person: each phase begins when all lanes of the one before have ended. */
export interface Script {
  readonly phases: readonly (readonly Lane[])[];
  readonly learntFrom: Planted;
}

interface Bound {
  readonly name: string;
  readonly connector: Connector;
  readonly connection: Connection;
  readonly capabilities: ReturnType<Connector['capabilities']>;
  readonly egress: readonly string[];
}

function bind(vendors: Vendors): readonly Bound[] {
  return Object.entries(vendorConfig(vendors)).map(([name, config]) => {
    const connector = connectors[name];
    if (connector === undefined) throw new Error(`There is no connector ${name}`);
    const parsed = connector.config.parse(config);
    return { name, connector, connection: connector.connect(parsed), capabilities: connector.capabilities(parsed), egress: connector.egress(parsed) };
  });
}

/** Records calls; one that begins before any of the last ones was answered is made together with them. */
function recorder(into: Call[][]): (guarded: typeof globalThis.fetch) => typeof globalThis.fetch {
  let wasAnswered = true;
  return (guarded) => async (input, init) => {
    const { body } = init ?? {};
    if (body !== undefined && body !== null && typeof body !== 'string') throw new Error('A body that is no text cannot be learnt');
    if (wasAnswered) into.push([]);
    wasAnswered = false;
    into.at(-1)?.push({ url: typeof input === 'string' ? input : input instanceof URL ? input.href : input.url, method: init?.method ?? 'GET', headers: Object.fromEntries(new Headers(init?.headers)), body: body ?? undefined });
    const answer = await guarded(input, init);
    wasAnswered = true;
    return answer;
  };
}

/**
 * Learns which calls one person takes, by having the connectors themselves erase one: rounds of look-ups until nothing new is found, then
 * every planned task with its read-back. So the bare script can never make other calls than Quittance does.
 */
export async function learnScript(vendors: Vendors, person: Planted): Promise<Script> {
  const all = bind(vendors);
  const phases: Lane[][] = [];
  const known: Identifier[] = [...person.identifiers];
  const seen = new Map<string, Set<string>>();
  for (let before = -1; before !== known.length; ) {
    before = known.length;
    const round = await Promise.all(
      all.map(async (each) => {
        const lane: Call[][] = [];
        const asked = known.filter(({ kind }) => each.capabilities.locates.includes(kind));
        const { plain } = createTestContext({ egress: each.egress, identifier: known[0] as Identifier, wrapFetch: recorder(lane) });
        const { found, knows } = await each.connection.locate(plain, asked);
        seen.set(each.name, new Set(knows.map(({ kind, value }) => `${kind}:${value}`)));
        return { lane, found: found.map(({ identifier }) => identifier) };
      }),
    );
    phases.push(round.map(({ lane }) => lane));
    for (const each of round.flatMap(({ found }) => found)) if (!known.some(({ kind, value }) => kind === each.kind && value === each.value)) known.push(each);
  }
  phases.push(await learnTasks(all, known, seen));
  return { phases, learntFrom: person };
}

async function learnTasks(all: readonly Bound[], known: readonly Identifier[], seen: ReadonlyMap<string, ReadonlySet<string>>): Promise<Lane[]> {
  const withIds = known.map((identifier) => ({ identifier, id: newId('identifier') }));
  const planned = planTasks(
    'erasure',
    all.map((each) => ({ name: each.name, connector: each.name, action: 'erase', after: [], capabilities: each.capabilities, connection: each.connection })),
    withIds.map(({ identifier: { kind, value }, id }) => ({ id, kind, commitment: '', isDoubtful: false, seenIn: all.filter(({ name }) => seen.get(name)?.has(`${kind}:${value}`) === true).map(({ name }) => name) })),
    0,
  );
  if (planned.some((task) => task.afterConnections.length > 0)) throw new Error('The bare script knows no order among systems');
  return Promise.all(
    planned.map(async (task) => {
      const lane: Call[][] = [];
      const one = all.find(({ name }) => name === task.connection);
      const own = withIds.find(({ id }) => id === task.identifierId);
      if (one === undefined || own === undefined) throw new Error('A planned task names what is not there');
      const context = createTestContext({ egress: one.egress, identifier: own.identifier, identifiers: known, seenHere: task.seenHere, taskId: randomUUID(), wrapFetch: recorder(lane) });
      const { result, cursor } = await eraseToEnd(one.connection, context, {
        onWait: () => {
          throw new Error('A vendor that makes one wait cannot be measured here');
        },
      });
      if (result.state !== 'done') throw new Error(`The erasure to learn from ended as ${result.state}`);
      if (result.outcome === 'nothing_matched') return lane;
      const confirmed = await one.connection.confirm(context.step({ cursor, attempt: 1 }));
      if (confirmed.state !== 'absent') throw new Error(`The read-back to learn from ended as ${confirmed.state}`);
      return lane;
    }),
  );
}

const agent = new Agent({ keepAliveTimeout: 30_000, connections: 64 });

/** Makes the calls of the script for somebody else: nothing kept, nothing checked but the status, nothing tried again. */
export async function playScript(script: Script, person: Planted): Promise<void> {
  const swaps = script.learntFrom.names.flatMap((name, index) => {
    const to = person.names[index] ?? '';
    return name === encodeURIComponent(name) ? [[name, to] as const] : [[name, to] as const, [encodeURIComponent(name), encodeURIComponent(to)] as const];
  });
  const forThem = (text: string): string => swaps.reduce((done, [from, to]) => done.replaceAll(from, () => to), text);
  const make = async ({ url, method, headers, body }: Call): Promise<void> => {
    const answer = await undiciFetch(forThem(url), {
      method,
      headers: headers['idempotency-key'] === undefined ? headers : { ...headers, 'idempotency-key': randomUUID() },
      ...(body === undefined ? {} : { body: forThem(body) }),
      redirect: 'manual',
      dispatcher: agent,
    });
    await answer.text();
    if (answer.status >= 500 || answer.status === 429) throw new Error(`The bare script was answered ${answer.status}`);
  };
  const follow = async (lane: Lane): Promise<void> => {
    for (const calls of lane) await Promise.all(calls.map(make));
  };
  for (const lanes of script.phases) await Promise.all(lanes.map(follow));
}

/** Plays the script for many people, so many at once, and gives how many milliseconds that took. */
export async function playAll(script: Script, people: readonly Planted[], atOnce: number): Promise<number> {
  const queue = [...people];
  const start = performance.now();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) await playScript(script, next);
    }),
  );
  return performance.now() - start;
}
