import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestContext, eraseToEnd, runConformance, type TestContextOptions } from '../../src/connector-kit/conformance/index.ts';
import type { Connection, EraseResult, Json } from '../../src/connector-kit/index.ts';
import { pubsubConnector } from '../../src/connectors/pubsub/index.ts';
import { sortAcknowledgements } from '../../src/connectors/pubsub/read-acknowledgements.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { probeToken, pubsubAccountKey, pubsubNames, startPubsub, type PubsubSeed } from '../../src/sandbox/pubsub/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';

const ada: Identifier = { kind: 'user_id', value: 'User-4711' };
const bob = { user_id: 'User-4712', name: 'bob-1' };
const workstations = [{ user_id: ada.value, name: 'ada-1' }, { user_id: ada.value, name: 'ada-2' }, bob];
const minuteMs = 60_000;

interface Dump {
  readonly workstations: readonly { readonly user_id: string }[];
  readonly events: readonly { readonly data: string; readonly attributes: Readonly<Record<string, string>>; readonly orderingKey?: string }[];
  readonly acknowledgements: number;
}
const dumpOf = (vendor: Pick<Simulator, 'dump'>): Dump => vendor.dump() as Dump;
const left = (vendor: Pick<Simulator, 'dump'>): number => dumpOf(vendor).workstations.filter((each) => each.user_id === ada.value).length;

const acknowledgement = { subscription: pubsubNames.subscription };
const probeAt = (url: string, rest: object = {}): object => ({
  url: `${url}/deletions/{key}`,
  bearer_token: probeToken,
  answers: [
    { status: 200, field: 'status', equals: ['done'], is: 'done' },
    { status: 200, field: 'status', equals: ['pending'], is: 'pending' },
    { status: 200, field: 'status', equals: ['failed', 'partial'], is: 'failed' },
  ],
  ...rest,
});
const configFor = (url: string, rest: object = { acknowledgement }): object => ({ topic: pubsubNames.topic, endpoint: url, credentials: pubsubAccountKey, ...rest });
const strangersKey = JSON.stringify({ client_email: 'stranger@sandbox.iam.gserviceaccount.example', private_key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }) });

const subject = {
  connector: pubsubConnector,
  start: startPubsub,
  plant: (vendor: Simulator) => {
    vendor.seed({ workstations });
    return { identifier: ada, identifiers: [ada], personal: ['User-4711'] };
  },
  left,
  unknown: [{ kind: 'user_id', value: 'User-404' }] as const,
  outcome: 'erased' as const,
};

runConformance({
  ...subject,
  title: 'acknowledgement events',
  config: (url) => configFor(url),
  refusedConfig: (url) => configFor(url, { acknowledgement, credentials: strangersKey }),
  confirmed: 'attested',
});

let vendor: Simulator;
beforeEach(async () => {
  vendor = await startPubsub();
});
afterEach(async () => vendor.close());

const connect = (rest: object = { acknowledgement }): Connection => pubsubConnector.connect(pubsubConnector.config.parse(configFor(vendor.url, rest)));
const task = (options: Partial<TestContextOptions> = {}): ReturnType<typeof createTestContext> => createTestContext({ egress: [vendor.url], identifier: ada, ...options });
const plant = (receiver: PubsubSeed['receiver'] = {}, rest: PubsubSeed = {}): void => void vendor.seed({ workstations, receiver, ...rest });
const run = async (connection: Connection, options: Partial<TestContextOptions> = {}): Promise<EraseResult> => (await eraseToEnd(connection, task(options), { onWait: vendor.advance })).result;
const cursorOf = (result: EraseResult): Json => ('cursor' in result ? (result.cursor ?? null) : null);

describe('an event', () => {
  it('says what to delete, why, for which request and under which key, and nothing else of the person', async () => {
    plant({ behaviour: 'ignores' });
    const first = await connect({ acknowledgement, ordered: true }).erase(task({ identifiers: [ada, { kind: 'email', value: 'ada@example.com' }] }).step({ cursor: null, attempt: 1 }));
    expect(first).toMatchObject({ state: 'wait', reason: 'vendor_job', vendorJob: expect.stringMatching(/^\d+$/u) as string });
    const [event] = dumpOf(vendor).events;
    const body = JSON.parse(Buffer.from(event?.data ?? '', 'base64').toString('utf8')) as Record<string, string>;
    expect(body).toEqual({ event: 'workstation.delete', reason: 'gdpr_erasure', request: 'req_conformance', subject: { user_id: ada.value }, idempotency_key: expect.stringMatching(/^[0-9a-f]{64}$/u) as string, issued_at: expect.any(String) as string });
    expect(event?.attributes).toEqual({ event: 'workstation.delete', reason: 'gdpr_erasure', request: 'req_conformance', idempotency_key: body['idempotency_key'] });
    expect(JSON.stringify([event?.attributes, event?.orderingKey])).not.toContain(ada.value);
    expect(event?.orderingKey).toMatch(/^[0-9a-f]{64}$/u);
  });

  it('that was published claims nothing: nothing is done until the service has answered, however long that takes', async () => {
    plant({ delay_ms: 60 * minuteMs });
    const connection = connect();
    const test = task();
    let result = await connection.erase(test.step({ cursor: null, attempt: 1 }));
    const waits: number[] = [];
    while (result.state === 'wait') {
      expect(left(vendor)).toBe(2);
      waits.push(result.afterMs);
      test.advance(result.afterMs);
      vendor.advance(result.afterMs);
      result = await connection.erase(test.step({ cursor: cursorOf(result), attempt: 1 }));
    }
    expect(result).toMatchObject({ outcome: 'erased', counts: { workstations: 2 } });
    expect(waits.at(-1)).toBeGreaterThan(waits[0] ?? Infinity);
    expect(Math.max(...waits)).toBeLessThanOrEqual(15 * minuteMs);
  });

  it('is published again with the same words when its answer was lost, and the service acts once', async () => {
    plant({}, {});
    vendor.fault({ kind: 'after', status: 503, path: ':publish', times: 2 });
    const before = task();
    const connection = connect();
    for (const attempt of [1, 2]) await expect(connection.erase(before.step({ cursor: before.saved()?.cursor ?? null, attempt }))).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
    before.advance(minuteMs);
    const third = await connection.erase(before.step({ cursor: before.saved()?.cursor ?? null, attempt: 3 }));
    expect(new Set(dumpOf(vendor).events.map(({ data }) => data)).size).toBe(1);
    expect(dumpOf(vendor).events).toHaveLength(3);
    vendor.advance(minuteMs);
    expect(await connection.erase(before.step({ cursor: cursorOf(third), attempt: 1 }))).toMatchObject({ outcome: 'erased', counts: { workstations: 2 } });
    expect(vendor.effects).toHaveLength(2);
  });
});

describe('an acknowledgement', () => {
  it.each<[string, PubsubSeed['receiver']]>([
    ['that comes several times', { copies: 4 }],
    ['that is followed by an older word', { out_of_order: true }],
  ])('%s settles the task once, and is taken from the subscription', async (_what, receiver) => {
    plant(receiver);
    expect(await run(connect())).toMatchObject({ outcome: 'erased', counts: { workstations: 2 } });
    expect(dumpOf(vendor).acknowledgements).toBe(0);
    expect(left(vendor)).toBe(0);
  });

  it('of another request is given back at once, and settles nothing', async () => {
    plant({ behaviour: 'ignores' }, { foreign: 450 });
    const connection = connect();
    const test = task();
    const first = await connection.erase(test.step({ cursor: null, attempt: 1 }));
    for (let look = 0; look < 3; look += 1) expect(await connection.erase(test.step({ cursor: cursorOf(first), attempt: 1 }))).toMatchObject({ state: 'wait' });
    expect(dumpOf(vendor).acknowledgements).toBe(450);
  });

  it('is found behind hundreds of others’, which stay where they are', async () => {
    plant({}, { foreign: 450 });
    expect(await run(connect())).toMatchObject({ outcome: 'erased', counts: { workstations: 2 } });
    expect(dumpOf(vendor).acknowledgements).toBe(450);
  });

  it('that nothing is held is absence by the service’s word, and one that counts nothing is not', async () => {
    vendor.seed({ workstations: [bob], receiver: { behaviour: 'says_nothing_held' } });
    expect(await run(connect())).toMatchObject({ state: 'done', outcome: 'already_absent', counts: { workstations: 0 } });
    vendor.seed({ workstations, receiver: { behaviour: 'says_nothing_held' } });
    expect(await run(connect(), { taskId: 'task_2' })).toMatchObject({ state: 'done', outcome: 'erased', counts: { workstations: 2 } });
    vendor.seed({ receiver: { behaviour: 'honest' } });
    expect(await run(connect(), { taskId: 'task_3' })).toMatchObject({ state: 'done', outcome: 'nothing_matched' });
    expect(sortAcknowledgements([{ ackId: 'a', data: JSON.stringify({ event: 'workstation.deleted', idempotency_key: 'k', status: 'nothing_held', counts: { workstations: 1 } }) }], { current: 'k', earlier: [] }, 'workstation.deleted').verdict).toEqual({ status: 'malformed' });
  });

  it.each<['fails' | 'partial' | 'malformed', object]>([
    ['fails', { code: 'VENDOR_JOB_FAILED', counts: { workstations: 0 } }],
    ['partial', { code: 'VENDOR_JOB_FAILED', counts: { workstations: 1 } }],
    ['malformed', { code: 'VENDOR_MALFORMED' }],
  ])('that says no such thing as done (%s) goes to a person, whose retry is a new event', async (behaviour, expected) => {
    plant({ behaviour });
    const connection = connect();
    const test = task();
    const stopped = (await eraseToEnd(connection, test, { onWait: vendor.advance })).result;
    expect(stopped).toMatchObject({ state: 'operator', ...expected });
    vendor.seed({ receiver: { behaviour: 'honest' } });
    const held = left(vendor);
    const again = await eraseToEnd({ ...connection, erase: async (step) => connection.erase({ ...step, previous: cursorOf(stopped) }) }, test, { onWait: vendor.advance });
    expect(again.result).toMatchObject({ state: 'done', counts: { workstations: held } });
    expect(left(vendor)).toBe(0);
    expect(dumpOf(vendor).workstations).toEqual([bob]);
  });

  it('that never comes leaves the task waiting, and a person’s retry sends the same event, which a late answer to the first settles', async () => {
    plant({ behaviour: 'ignores' });
    const connection = connect();
    const test = task();
    const first = await connection.erase(test.step({ cursor: null, attempt: 1 }));
    const second = await connection.erase({ ...test.step({ cursor: null, attempt: 1 }), previous: cursorOf(first) });
    expect(new Set(dumpOf(vendor).events.map(({ data }) => data)).size).toBe(1);
    vendor.seed({ receiver: { behaviour: 'honest' } });
    vendor.advance(minuteMs);
    expect(await connection.erase(test.step({ cursor: cursorOf(second), attempt: 1 }))).toMatchObject({ outcome: 'erased' });
    expect(vendor.effects).toHaveLength(2);
  });

  it('that was heard is not lost when the process dies before it is taken from the subscription', async () => {
    plant();
    const connection = connect();
    const test = task();
    const first = await connection.erase(test.step({ cursor: null, attempt: 1 }));
    vendor.advance(minuteMs);
    vendor.fault({ kind: 'after', status: 500, path: ':acknowledge' });
    await expect(connection.erase(test.step({ cursor: cursorOf(first), attempt: 1 }))).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
    expect(dumpOf(vendor).acknowledgements).toBe(0);
    expect(await connection.erase(test.step({ cursor: test.saved()?.cursor ?? null, attempt: 2 }))).toMatchObject({ outcome: 'erased', counts: { workstations: 2 } });
  });

  it('of a service that lies is its word and no more: the read-back says attested', async () => {
    plant({ behaviour: 'lies' });
    const connection = connect();
    const test = task();
    const { result, cursor } = await eraseToEnd(connection, test, { onWait: vendor.advance });
    expect(result).toMatchObject({ outcome: 'erased' });
    expect(await connection.confirm(test.step({ cursor, attempt: 1 }))).toEqual({ state: 'attested' });
  });
});

describe('an answer that is not Pub/Sub’s', () => {
  it.each(['<html>', '[]', '{}', '{"messageIds":[]}', '{"messageIds":["<script>"]}', '{"messageIds":7}', ''])('to a publication is malformed, and claims no message: %s', async (body) => {
    const test = task({ wrapFetch: () => async () => new Response(body) });
    await expect(connect().erase(test.step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
  });

  it.each(['<html>', '{"receivedMessages":[{"ackId":""}]}', '{"receivedMessages":[{"ackId":"a"}]}', '{"receivedMessages":7}'])('to a pull is malformed, and settles nothing: %s', async (body) => {
    plant();
    const first = await connect().erase(task().step({ cursor: null, attempt: 1 }));
    const test = task({ wrapFetch: () => async () => new Response(body) });
    await expect(connect().erase(test.step({ cursor: cursorOf(first), attempt: 1 }))).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
  });
});

describe('a status probe', () => {
  it('settles the task, and reads back where it is said to prove absence', async () => {
    plant();
    const connection = connect({ probe: probeAt(vendor.url, { proves_absence: true }) });
    const test = task();
    const { result, cursor } = await eraseToEnd(connection, test, { onWait: vendor.advance });
    expect(result).toMatchObject({ outcome: 'erased' });
    expect(left(vendor)).toBe(0);
    expect(await connection.confirm(test.step({ cursor, attempt: 1 }))).toEqual({ state: 'absent' });
    expect(await connect({ probe: probeAt(vendor.url) }).confirm(test.step({ cursor, attempt: 1 }))).toEqual({ state: 'attested' });
  });

  it('that says failed goes to a person, and never reads back as absent', async () => {
    plant({ behaviour: 'fails' });
    const connection = connect({ probe: probeAt(vendor.url, { proves_absence: true }) });
    const test = task();
    const { result, cursor } = await eraseToEnd(connection, test, { onWait: vendor.advance });
    expect(result).toMatchObject({ state: 'operator', code: 'VENDOR_JOB_FAILED' });
    expect(await connection.confirm(test.step({ cursor, attempt: 1 }))).toEqual({ state: 'present', found: [ada] });
  });

  it.each<[string, object, string]>([
    ['an answer that the configuration does not name', { answers: [{ status: 200, field: 'status', equals: ['finished'], is: 'done' }] }, 'VENDOR_MALFORMED'],
    ['a refused credential', { bearer_token: 'revoked' }, 'CONNECTION_AUTH'],
    ['an address that leads nowhere', { url: 'PLACE/nowhere/{key}' }, 'CONNECTION_REFUSED'],
  ])('guesses nothing from %s', async (_what, rest, code) => {
    plant();
    const probe = probeAt(vendor.url, rest) as { url: string };
    const connection = connect({ probe: { ...probe, url: probe.url.replace('PLACE', vendor.url) } });
    const test = task();
    const first = await connection.erase(test.step({ cursor: null, attempt: 1 }));
    vendor.advance(minuteMs);
    await expect(connection.erase(test.step({ cursor: cursorOf(first), attempt: 1 }))).rejects.toMatchObject({ code });
  });
});

describe('a configuration', () => {
  const problem = (rest: object): string => pubsubConnector.config.safeParse(configFor('http://127.0.0.1:1', rest)).error?.issues.map(({ message }) => message).join('; ') ?? 'accepted';

  it.each([
    [{}, 'must have acknowledgement or probe'],
    [{ acknowledgement, topic: 'workstation-events' }, 'must be projects/'],
    [{ probe: probeAt('http://127.0.0.1:1', { url: 'http://127.0.0.1:1/all' }) }, 'must have {key}'],
    [{ probe: probeAt('http://127.0.0.1:1', { url: 'http://{key}.example.com/' }) }, 'behind its host'],
    [{ probe: probeAt('http://127.0.0.1:1', { answers: [{ status: 404, is: 'pending' }] }) }, 'which answer is done'],
    [{ probe: probeAt('http://127.0.0.1:1', { answers: [{ status: 200, field: 'status', is: 'done' }] }) }, 'belong together'],
    [{ acknowledgement, credentials: '{"private_key":"sealed-words"}' }, 'must be the JSON key'],
  ])('is refused: %j', (rest, message) => {
    expect(problem(rest)).toContain(message);
    expect(problem(rest)).not.toContain('sealed-words');
    expect(problem({ acknowledgement })).toBe('accepted');
  });

  it('finds fault with an address in an event', () => {
    const findings = (rest: object): string => (pubsubConnector.findings?.(pubsubConnector.config.parse(configFor('http://127.0.0.1:1', { acknowledgement, ...rest }))) ?? []).join('; ');
    expect(findings({ identifiers: ['email'] })).toContain('opaque user_id');
    expect(findings({})).toBe('');
  });
});
