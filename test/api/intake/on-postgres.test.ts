import { Producer } from '@platformatic/kafka';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseId } from '../../../src/contract/ids.ts';
import { createBusReader, startConsuming, type ConsumeDeps } from '../../../src/modules/intake/index.ts';
import { consumeSchema } from '../../../src/platform/config/intake-events.ts';
import { openPostgres } from '../../../src/platform/db/postgres.ts';
import { createLog } from '../../../src/platform/log.ts';
import { systemRandom } from '../../../src/platform/random.ts';
import { sharedPostgres } from '../../support/databases.ts';
import { kafkaMissing, startMockKafka } from '../../support/kafka.ts';
import { eventually } from '../../support/quittance.ts';
import { openIntakeWorld, post, profilesToken, sendWebhook, type IntakeWorld } from './intake-world.ts';

// On the embedded database transactions take turns by themselves; here they really meet.

let world: IntakeWorld;

beforeAll(async () => {
  const url = await sharedPostgres().createDatabase('main');
  world = await openIntakeWorld(async () => openPostgres(url, () => undefined));
});
afterAll(async () => {
  await world.close();
});

it('one message sent twenty times at once opens one request, and all get its answer', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, async () => sendWebhook(world, { id: 'msg_crowd' })));
  expect(answers.map((each) => each.statusCode).toSorted((a, b) => a - b)).toEqual([...Array.from({ length: 19 }, () => 200), 202]);
  for (const answer of answers) expect(answer.json()).toEqual(answers[0]?.json());
  expect(await world.countRows()).toMatchObject({ privacy_request: 1, request_key: 1, subject_identity: 1, intake_replay: 1 });
});

it('a message whose first opening fails while its repetition waits is opened by the repetition', async () => {
  const before = await world.countRows();
  world.failNextOpening();
  const answers = await Promise.all([sendWebhook(world, { id: 'msg_failing' }), sendWebhook(world, { id: 'msg_failing' })]);
  expect(answers.map((each) => each.statusCode).toSorted((a, b) => a - b)).toEqual([202, 500]);
  expect((await world.countRows())['privacy_request']).toBe((before['privacy_request'] ?? 0) + 1);
});

it('ten wrong codes at once are five tries and five too many, and the right one comes too late', async () => {
  const { id: outside } = (await sendWebhook(world, { source: 'form' })).json<{ id: string }>();
  const id = parseId('request', outside);
  if (id === undefined) throw new Error('no id');
  const code = (await world.database.transaction((tx) => world.verification.codeToSend(tx, id, 1)))?.code;
  const verdicts = await Promise.all(Array.from({ length: 10 }, async () => world.database.transaction((tx) => world.verification.submitCode(tx, id, code === '00000000' ? '1' : '00000000'))));
  expect(verdicts.map((each) => each.verdict).toSorted()).toEqual([...Array.from({ length: 5 }, () => 'locked'), ...Array.from({ length: 5 }, () => 'wrong')]);
  expect((await post(world, `/v1/privacy-requests/${outside}/verification`, { code })).statusCode).toBe(403);
  const { rows } = await sql<{ attempts: number }>`SELECT attempts FROM verification WHERE request_id = ${id}`.execute(world.database.read());
  expect(rows).toEqual([{ attempts: 5 }]);
});

it('the right code given ten times at once verifies once', async () => {
  const { id: outside } = (await sendWebhook(world, { source: 'form' })).json<{ id: string }>();
  const id = parseId('request', outside);
  if (id === undefined) throw new Error('no id');
  const code = (await world.database.transaction((tx) => world.verification.codeToSend(tx, id, 1)))?.code;
  const jobs = world.jobs.length;
  const answers = await Promise.all(Array.from({ length: 10 }, async () => post(world, `/v1/privacy-requests/${outside}/verification`, { code })));
  expect(new Set(answers.map((each) => each.statusCode))).toEqual(new Set([200]));
  expect(world.jobs.slice(jobs).map((job) => job.name)).toEqual(['request-advance']);
});

it('an order about a profile sent twenty times at once, under several events, opens one job', async () => {
  const order = { profile_id: 'cus_thecrowd001', action: 'anonymize', identifiers: { email: null, phone: null } };
  const answers = await Promise.all(Array.from({ length: 20 }, async (_, at) => post(world, '/v1/destinations/profiles', { ...order, event_id: `crowd-${at % 4}` }, { authorization: `Bearer ${profilesToken}` })));
  expect(answers.map((each) => each.statusCode).toSorted((a, b) => a - b)).toEqual([...Array.from({ length: 19 }, () => 200), 202]);
  expect(new Set(answers.map((each) => each.json<{ job_id: string }>().job_id)).size).toBe(1);
  const { rows } = await sql<{ systems: string[] }>`SELECT systems FROM privacy_request WHERE source = 'destination:profiles'`.execute(world.database.read());
  expect(rows).toEqual([{ systems: ['twilio', 'segment'] }]);
  await world.profiles.forget();
  expect((await sql`SELECT 1 FROM profile_job`.execute(world.database.read())).rows).toHaveLength(1);
});

it.skipIf(kafkaMissing !== undefined)('of two readers of a topic one reads, and the other goes on where it was when the first is gone', async () => {
  const kafka = await startMockKafka('orders', { brokers: 1 });
  const producer = new Producer({ clientId: 'shop', bootstrapBrokers: [...kafka.brokers], retries: 2 });
  const produce = async (id: string): Promise<unknown> => producer.send({ acks: -1, messages: [{ topic: 'orders', partition: 0, value: Buffer.from(JSON.stringify({ email: 'eve@example.com', event_id: id })) }] });
  const take: ConsumeDeps = {
    source: 'orders',
    config: { verify: 'source', right: 'erasure', jurisdiction: undefined },
    inFlight: 2,
    reader: createBusReader('orders', consumeSchema.parse({ kind: 'kafka', topic: 'orders' }), { secrets: { environment: {}, readFile: () => '' }, kafkaBrokers: kafka.brokers }, { database: world.database, clock: world.clock, refusals: world.refusals }),
    acceptRequest: world.acceptRequest,
    refusals: world.refusals,
    clock: world.clock,
    random: systemRandom,
    log: createLog('fatal'),
  };
  const other = { ...take, reader: createBusReader('orders', consumeSchema.parse({ kind: 'kafka', topic: 'orders' }), { secrets: { environment: {}, readFile: () => '' }, kafkaBrokers: kafka.brokers }, { database: world.database, clock: world.clock, refusals: world.refusals }) };
  const count = async (): Promise<number> => (await sql<{ n: number }>`SELECT count(*)::int AS n FROM privacy_request WHERE source = 'orders'`.execute(world.database.read())).rows[0]?.n ?? -1;
  const positions = async (): Promise<unknown> => (await sql`SELECT next_offset::text AS next FROM bus_position WHERE source = 'orders'`.execute(world.database.read())).rows;
  const reading = [startConsuming(take)];
  try {
    await produce('one');
    await eventually('The first', async () => ((await count()) === 1 ? true : undefined));
    reading.push(startConsuming(other));
    await reading[0]?.stop();
    await produce('two');
    await eventually('The second', async () => ((await count()) === 2 ? true : undefined));
    await eventually('Its position', async () => (JSON.stringify(await positions()) === JSON.stringify([{ next: '2' }]) ? true : undefined));
  } finally {
    await reading[1]?.stop();
    await producer.close(true);
    await kafka.stop();
  }
});
