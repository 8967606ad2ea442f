import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseId } from '../../../src/contract/ids.ts';
import { openPostgres } from '../../../src/platform/db/postgres.ts';
import { sharedPostgres } from '../../support/databases.ts';
import { openIntakeWorld, post, sendWebhook, type IntakeWorld } from './intake-world.ts';

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
