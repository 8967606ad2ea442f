import pg from 'pg';
import { expect, test } from 'vitest';
import { parseId } from '../../src/contract/ids.ts';
import { sharedPostgres } from '../support/databases.ts';
import { call, eventually, untilStatus } from '../support/quittance.ts';
import { openRequest, plantAda, useBench } from '../support/running.ts';

const bench = useBench('postgres');

test('a look at a request that another worker moves under it is not lost: the request whose last task just settled is closed', { timeout: 90_000 }, async () => {
  const server = sharedPostgres();
  const databases = { main: await server.createDatabase('main'), audit: await server.createDatabase('audit') };
  const { url } = await bench.start({}, { databases });
  plantAda(bench.sandbox());
  expect((await call(url, '/v1/connections/stripe/suspend', { method: 'POST' })).status).toBe(200);
  const id = await openRequest(url);
  await untilStatus(url, id, ['executing']);
  const other = new pg.Client({ connectionString: databases.main });
  await other.connect();
  try {
    const count = async (text: string): Promise<number> => Number((await other.query<{ count: string }>(`SELECT count(*) FROM ${text}`)).rows[0]?.count ?? 0);
    // The other worker: it holds the request until every look that the settling of the tasks asked for has read where it stands.
    await eventually('The settling of every other task', async () => ((await count("task WHERE status <> 'settled' AND connection <> 'stripe'")) === 0 ? true : undefined), 60_000);
    await other.query('BEGIN');
    await other.query('SELECT FROM privacy_request WHERE id = $1 FOR UPDATE', [parseId('request', id)]);
    expect(await count("task WHERE status <> 'settled'"), 'there is a task left to settle').toBeGreaterThan(0);
    expect((await call(url, '/v1/connections/stripe/resume', { method: 'POST' })).status).toBe(200);
    await eventually('The settling of the last task', async () => ((await count("task WHERE status <> 'settled'")) === 0 ? true : undefined), 60_000);
    await eventually('The looks', async () => {
      const waiting = await count("jobs.job WHERE name = 'request-advance' AND state IN ('created', 'retry')");
      const looking = await count("jobs.job WHERE name = 'request-advance' AND state = 'active'");
      return waiting === 0 && looking > 0 ? true : undefined;
    });
    const moved = await other.query("UPDATE privacy_request SET status = 'confirming', version = version + 1 WHERE status = 'executing'");
    expect(moved.rowCount, 'it stood elsewhere when they read it').toBe(1);
    await other.query('COMMIT');
    expect(await untilStatus(url, id, ['closed'], 20_000)).toMatchObject({ verdict: 'fulfilled_with_retention' });
  } finally {
    await other.end();
  }
});
