import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sql } from 'kysely';
import { databaseKinds, useDatabase } from '../../support/databases.ts';
import { openIntakeWorld, sendWebhook, type IntakeWorld } from './intake-world.ts';

const bodyOf = (requestId: string, change: Record<string, unknown> = {}): string =>
  JSON.stringify({ request_id: requestId, subject_email: 'ada@example.com', subject_phone: '+12025550143', jurisdiction: 'DE', ...change });

describe.each(databaseKinds)("a source's own request_id, on the database of kind $kind", ({ kind }) => {
  const shared = useDatabase(kind, 'main');
  let world: IntakeWorld;
  beforeAll(async () => {
    const database = shared.open();
    // The database is closed by whoever opened it.
    world = await openIntakeWorld(async () => ({ ...database, close: async () => undefined }));
  });
  beforeEach(async () => {
    await sql`DELETE FROM rate_limit`.execute(world.database.read());
  });
  afterAll(() => world.close());

  it('gets the first answer in another message, and opens nothing', async () => {
    const first = await sendWebhook(world, { body: bodyOf('case-1') });
    expect(first.statusCode).toBe(202);
    const before = await world.countRows();
    const jobs = world.jobs.length;
    world.clock.advance(60_000);
    const again = await sendWebhook(world, { body: ` ${bodyOf('case-1')}` });
    expect([again.statusCode, again.json()]).toEqual([200, first.json()]);
    expect(await world.countRows()).toEqual({ ...before, intake_replay: (before['intake_replay'] ?? 0) + 1 });
    expect(world.jobs).toHaveLength(jobs);
  });

  it('of another person, right or jurisdiction is refused, and leaves nothing', async () => {
    await sendWebhook(world, { body: bodyOf('case-2') });
    const before = await world.countRows();
    for (const change of [{ subject_email: 'eve@example.com' }, { subject_phone: undefined }, { jurisdiction: 'FR' }]) {
      expect((await sendWebhook(world, { body: bodyOf('case-2', change) })).json()).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
    }
    expect(await world.countRows()).toEqual(before);
  });

  it('comes second: a known message with another body is refused, whatever request_id it has', async () => {
    await sendWebhook(world, { id: `msg_wins_${kind}`, body: bodyOf('case-3') });
    const before = await world.countRows();
    for (const requestId of ['case-3', 'case-4']) {
      const other = await sendWebhook(world, { id: `msg_wins_${kind}`, body: bodyOf(requestId, { jurisdiction: 'FR' }) });
      expect(other.json()).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
    }
    expect(await world.countRows()).toEqual(before);
  });

  it('is no message id: a message under the same name, and another source, open their own', async () => {
    const one = await sendWebhook(world, { body: bodyOf('case-5') });
    const two = await sendWebhook(world, { id: 'case-5', body: JSON.stringify({ email: 'ada@example.com' }) });
    const three = await sendWebhook(world, { source: 'form', body: bodyOf('case-5') });
    expect([one.statusCode, two.statusCode, three.statusCode]).toEqual([202, 202, 202]);
    expect(new Set([one, two, three].map((each) => each.json<{ id: string }>().id)).size).toBe(3);
  });

  it('in ten messages at once opens one request, and all get its answer', async () => {
    const before = await world.countRows();
    const answers = await Promise.all(Array.from({ length: 10 }, async () => sendWebhook(world, { body: bodyOf('case-6') })));
    expect(answers.map((each) => each.statusCode).toSorted((a, b) => a - b)).toEqual([...Array.from({ length: 9 }, () => 200), 202]);
    for (const answer of answers) expect(answer.json()).toEqual(answers[0]?.json());
    expect((await world.countRows())['privacy_request']).toBe((before['privacy_request'] ?? 0) + 1);
  });

  it('is found nowhere in plain', async () => {
    await sendWebhook(world, { body: bodyOf('ada-lovelace-1815') });
    const { rows } = await sql<{ text: string }>`SELECT r::text AS text FROM privacy_request r UNION ALL SELECT i::text FROM intake_replay i UNION ALL SELECT v::text FROM verification v`.execute(world.database.read());
    expect(JSON.stringify([rows, world.entries, world.jobs, world.logged])).not.toMatch(/lovelace|6c6f76656c616365/iu);
  });
});
