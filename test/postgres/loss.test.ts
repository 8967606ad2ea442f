import { sql } from 'kysely';
import { beforeAll, describe, expect, test } from 'vitest';
import { call, eventually, sendWebhook } from '../support/quittance.ts';
import { allAreProven, effects, effectsOf, heldTasks, plant, request, useInstallation, writers, type PlantedPerson, type ServerProcess } from '../support/processes.ts';

const installation = useInstallation({ own: true, changes: { connections: { twilio: { timeout_seconds: 20 } } } });
let urls: readonly string[];
let workers: ServerProcess[];
const url = (): string => urls[0] ?? '';

beforeAll(async () => {
  const { start } = installation();
  const [one, two, ...others] = await Promise.all([start('http'), start('http'), start('worker'), start('scheduler'), start('scheduler')]);
  urls = [one.url, two.url];
  workers = others.slice(0, 1);
});

/** How often each task was settled, by the log: a result that was recorded twice would be there twice. */
async function settledMoreThanOnce(): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*) AS count FROM (
      SELECT convert_from(entry, 'UTF8')::jsonb AS entry FROM audit.log_row
    ) AS rows WHERE entry ->> 'type' = 'task.settled' GROUP BY entry ->> 'task_id' HAVING count(*) > 1`.execute(installation().audit.read());
  return rows.length;
}

/** Opens a request for each person while servers come and go: each message is sent until it is acknowledged, under one id, to one process or the other. */
async function insist(people: readonly PlantedPerson[]): Promise<readonly string[]> {
  return Promise.all(
    people.map(async ({ email, phone, customer }, index) => {
      const send = (): ReturnType<typeof sendWebhook> => sendWebhook(urls[index % 2] ?? '', { email, phone, stripe_customer_id: customer }, { id: `msg_${customer}` });
      const accepted = await eventually(`The acceptance of the request of ${customer}`, async () => {
        const answer = await send();
        return answer.status < 300 ? answer : undefined;
      });
      const again = await eventually(`The repetition for ${customer}`, async () => {
        const answer = await send();
        return answer.status < 300 ? answer : undefined;
      });
      expect(again.body['id']).toBe(accepted.body['id']);
      return String(accepted.body['id']);
    }),
  );
}

const slowDeletions = (delayMs: number): void => installation().sandbox.twilio.fault({ kind: 'delay', method: 'DELETE', delayMs, times: 1000 });
const untilFirstDeletion = async (): Promise<void> => void (await eventually('The first deletion', async () => (installation().sandbox.twilio.effects.length > 0 ? true : undefined), 60_000));

// One story: what one chapter leaves running the next one goes on with.
describe('processes that hang or lose what they stand on', () => {
  test('a worker that hangs loses its tasks and the log to another one, and changes nothing when it comes back', { timeout: 180_000 }, async () => {
    const [hung] = workers;
    const people = plant(installation(), [10, 11, 12]);
    slowDeletions(2000);
    const ids = await request(url(), people);
    await untilFirstDeletion();
    const held = await heldTasks(installation(), 'twilio');
    expect(held).not.toEqual([]);
    const before = await writers(installation());
    expect(before).toMatchObject({ holding: 1 });
    hung?.kill('SIGSTOP');
    installation().sandbox.twilio.clearFaults();
    workers.push(await installation().start('worker'));
    await allAreProven(installation(), url(), ids, 120_000);
    expect(await writers(installation()), 'the log has another writer').toEqual({ holding: 1, claims: before.claims + 1 });
    expect(effects(installation())).toEqual(effectsOf(3));

    const recorded = async (): Promise<readonly string[]> => {
      const found = await sql<{ type: string }>`SELECT convert_from(entry, 'UTF8')::jsonb ->> 'type' AS type FROM audit.log_row ORDER BY seq`.execute(installation().audit.read());
      return found.rows.map((each) => each.type);
    };
    const earlier = await recorded();
    hung?.kill('SIGCONT');
    // It is there again, and works: it is the only one left that does.
    const [, other] = workers;
    await eventually('The end of what it was in', async () => (await heldTasks(installation(), 'twilio')).length === 0 || undefined);
    other?.kill('SIGTERM');
    expect(await other?.ended).toEqual({ code: 0, signal: null });
    // What is no longer about a request, a verification of the log, may still have been on its way.
    expect((await recorded()).slice(earlier.length).filter((each) => !each.startsWith('log.')), 'it records nothing of what it was in').toEqual([]);
    const next = plant(installation(), [13, 14]);
    await allAreProven(installation(), url(), await request(url(), next), 90_000);
    expect(effects(installation())).toEqual(effectsOf(5));
    expect(await settledMoreThanOnce()).toBe(0);
    expect(await writers(installation())).toMatchObject({ holding: 1 });
    workers = workers.slice(0, 1);
  });

  test('every connection that is cut under load is made again, and the work goes on where it was', { timeout: 180_000 }, async () => {
    workers.push(await installation().start('worker'));
    const people = plant(installation(), [20, 21, 22, 23]);
    slowDeletions(300);
    const ids = await request(url(), people);
    await untilFirstDeletion();
    const claims = (await writers(installation())).claims;
    for (const database of [installation().main, installation().audit]) {
      const cut = await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = 'quittance'`.execute(database.read());
      expect(cut.rows.length).toBeGreaterThan(0);
    }
    await allAreProven(installation(), url(), ids, 120_000);
    expect(effects(installation())).toEqual(effectsOf(4));
    expect(await settledMoreThanOnce()).toBe(0);
    const after = await writers(installation());
    expect(after.holding).toBe(1);
    expect(after.claims).toBeGreaterThan(claims);
  });

  test.each([
    ['fast', [30, 31, 32, 33]],
    ['immediate', [40, 41, 42, 43]],
  ] as const)('a server that is restarted under load (%s) has everything that was acknowledged, and every request is fulfilled', { timeout: 180_000 }, async (mode, numbers) => {
    const { server } = installation();
    const people = plant(installation(), numbers);
    slowDeletions(300);
    const early = await request(url(), people.slice(0, 2));
    await untilFirstDeletion();
    await server?.down(mode);
    // Somebody asks while nobody is there, and goes on asking.
    const late = insist(people.slice(2));
    expect((await call(url(), '/readyz')).status).toBe(503);
    await server?.up();
    await allAreProven(installation(), url(), [...early, ...(await late)], 120_000);
    expect(effects(installation())).toEqual(effectsOf(4));
    expect(await settledMoreThanOnce()).toBe(0);
    expect((await writers(installation())).holding).toBe(1);
    const ended = await Promise.race([Promise.all(installation().processes.slice(0, 3).map(async (each) => each.ended)), Promise.resolve('all run')]);
    expect(ended).toBe('all run');
  });

  test('all workers told to stop under load end with 0 within their grace, hold nothing any more, and the next ones need not wait for a lease', { timeout: 180_000 }, async () => {
    const people = plant(installation(), [50, 51, 52, 53]);
    slowDeletions(300);
    const ids = await insist(people);
    await untilFirstDeletion();
    const toldAt = Date.now();
    for (const each of workers) each.kill('SIGTERM');
    expect(await Promise.all(workers.map(async (each) => each.ended))).toEqual(workers.map(() => ({ code: 0, signal: null })));
    expect(Date.now() - toldAt).toBeLessThan(35_000);
    expect(await heldTasks(installation(), 'twilio')).toEqual([]);
    const places = await sql`SELECT task_id FROM connection_lease WHERE expires_at > clock_timestamp()`.execute(installation().main.read());
    expect(places.rows).toEqual([]);
    expect((await writers(installation())).holding, 'the log is free too').toBe(0);
    workers = [await installation().start('worker')];
    await allAreProven(installation(), url(), ids, 90_000);
    expect(effects(installation())).toEqual(effectsOf(4));
    expect(await settledMoreThanOnce()).toBe(0);
  });
});
