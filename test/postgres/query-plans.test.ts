import pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { sharedPostgres } from '../support/databases.ts';
import { call, eventually, sendWebhook, untilStatus } from '../support/quittance.ts';
import { ada, certificateOf, openRequest, plantAda, tasksOf, untilShredded, useBench, type Running } from '../support/running.ts';
import { fillDatabase, largeTables } from './million-rows.ts';

/** A statement as it was sent, with its values: on them the plan depends. */
interface SentStatement {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly database: string;
}

/** Cost that no hot statement may have, in PostgreSQL's unit, one page read in order: a look at a whole large table costs ten times that, and more. */
const costMax = 2500;

const bench = useBench('postgres');
const databases = { main: '', audit: '' };
let folder: string;
const sent = new Map<string, SentStatement>();

/** Notes every statement that this process sends. The plans are those of what is sent, not of what a test believes to be sent. */
function recordStatements(): () => void {
  const prototype = pg.Client.prototype as unknown as { query: (...given: unknown[]) => unknown };
  const original = prototype.query;
  const recorded = function query(this: pg.Client, ...given: unknown[]): unknown {
    const [first, second] = given;
    const text = typeof first === 'string' ? first : (first as { text?: string } | undefined)?.text;
    const values = Array.isArray(second) ? second : ((first as { values?: unknown[] } | undefined)?.values ?? []);
    const database = this.database ?? '';
    if (text !== undefined && /^\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\b/iu.test(text)) sent.set(JSON.stringify([database, text, values]), { text, values, database });
    return original.apply(this, given);
  };
  prototype.query = recorded;
  return () => {
    prototype.query = original;
  };
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Total Cost': number;
  readonly Plans?: readonly PlanNode[];
}

/** The large tables of a database, without their schema. */
const namesOf = (set: 'main' | 'audit'): readonly string[] => largeTables[set].map((name) => name.replace('audit.', '')).toSorted();
const nodesOf = (node: PlanNode): readonly PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

async function asSuperuser<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: sharedPostgres().asSuperuser(url) });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** What is wrong with the plans of the statements of one database, and which large tables they are of. */
async function readPlans(set: 'main' | 'audit'): Promise<{ readonly bad: readonly string[]; readonly tables: readonly string[] }> {
  const large = new Set<string | undefined>(namesOf(set));
  const url = databases[set];
  const name = new URL(url).pathname.slice(1);
  return asSuperuser(url, async (client) => {
    const bad = new Set<string>();
    const tables = new Set<string>();
    for (const { text, values } of [...sent.values()].filter((each) => each.database === name)) {
      const { rows } = await client.query<{ 'QUERY PLAN': readonly { Plan: PlanNode }[] }>(`EXPLAIN (FORMAT JSON) ${text}`, [...values]);
      const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
      if (plan === undefined) throw new Error(`There is no plan for ${text}`);
      const nodes = nodesOf(plan).filter((each) => large.has(each['Relation Name']));
      for (const node of nodes) tables.add(node['Relation Name'] ?? '');
      for (const node of nodes) if (node['Node Type'] === 'Seq Scan') bad.add(`Seq Scan on ${node['Relation Name'] ?? ''}: ${text}`);
      if (nodes.length > 0 && plan['Total Cost'] > costMax) bad.add(`cost ${plan['Total Cost']}: ${text}`);
    }
    return { bad: [...bad], tables: [...tables].toSorted() };
  });
}

/** The large tables that were read from end to end since the counting began, by what the server counted: statements inside of functions are in it. */
async function readWhole(set: 'main' | 'audit'): Promise<readonly string[]> {
  return asSuperuser(databases[set], async (client) => {
    const names = namesOf(set);
    const { rows } = await client.query<{ relname: string; idx_scan: number; seq_tup_read: number }>(
      'SELECT relname, idx_scan::int, seq_tup_read::int FROM pg_stat_user_tables WHERE relname = ANY($1)',
      [names],
    );
    expect(rows).toHaveLength(names.length);
    return rows.filter((each) => each.seq_tup_read > 0).map((each) => each.relname);
  });
}

const post = async (url: string, path: string, body: unknown = {}): Promise<number> => (await call(url, path, { method: 'POST', body: JSON.stringify(body) })).status;

/** Everything that happens to a request, and everything that is asked for while it does. */
async function live({ url, mapping, suppression, readIdentifier, sweep }: Running): Promise<void> {
  const sandbox = bench.sandbox();
  plantAda(sandbox);
  await mapping.importCsv(['email,user_id\nada@example.com,user-ada\n']);
  // A system that lies until a person has looked: a manual task, and its reminder.
  sandbox.stripe.fault({ kind: 'lie', method: 'DELETE', path: '^/v1/customers/', times: 50 });
  const id = await openRequest(url);
  await untilStatus(url, id, ['escalated']);
  const duplicate = await sendWebhook(url, { email: ada.email, phone: ada.phone, stripe_customer_id: ada.customer }, { id: 'msg_again' });
  await sendWebhook(url, { email: ada.email, phone: ada.phone, stripe_customer_id: ada.customer }, { id: 'msg_again' });
  const given = JSON.stringify({ email: 'new@example.com' });
  for (let at = 0; at < 2; at += 1) await call(url, '/v1/privacy-requests', { method: 'POST', body: given, headers: { 'idempotency-key': 'once' } });
  await eventually('The link', async () => ((await call(url, `/v1/privacy-requests/${String(duplicate.body['id'])}`)).body['duplicate_of'] === id ? true : undefined));
  for (const query of ['', '?status=escalated', '?status=expired', '?status=closed&limit=5', '?limit=2']) {
    const page = await call(url, `/v1/privacy-requests${query}`);
    const next = page.body['next_cursor'] as string | null | undefined;
    if (typeof next === 'string') await call(url, `/v1/privacy-requests?limit=2&cursor=${next}`);
  }
  for (const query of ['', `?request_id=${id}`, '?open=false', `?request_id=${id}&open=false`]) expect((await call(url, `/v1/manual-tasks${query}`)).status).toBe(200);
  for (const part of ['', '/plan', '/tasks', '/timeline']) expect((await call(url, `/v1/privacy-requests/${id}${part}`)).status).toBe(200);
  await sweep();
  sandbox.stripe.clearFaults();
  expect(await post(url, `/v1/privacy-requests/${id}/retry`)).toBe(200);
  await untilStatus(url, id, ['closed']);
  await certificateOf(url, id);
  await untilShredded(url, id);
  expect(await suppression.check([readIdentifier('email', ada.email)])).toEqual([true]);
  await sweep();
  expect((await tasksOf(url, id)).length).toBeGreaterThan(2);
  // Somebody who is not verified.
  const unverified = await sendWebhook(url, { email: 'somebody@example.com' }, { source: 'portal' });
  await post(url, `/v1/privacy-requests/${String(unverified.body['id'])}/verification`, { code: '00000000' });
  await untilStatus(url, String(duplicate.body['id']), ['closed', 'awaiting_approval', 'verified', 'executing']);
}

describe('with a million requests behind it', () => {
  beforeAll(async () => {
    const server = sharedPostgres();
    databases.main = await server.createDatabase('main');
    databases.audit = await server.createDatabase('audit');
    // An installation that has been started: one with requests and without its keys does not start.
    const started = await bench.start({}, { databases });
    await started.stop();
    folder = started.folder;
    for (const set of ['main', 'audit'] as const) {
      await fillDatabase(server.asSuperuser(databases[set]), set);
      await asSuperuser(databases[set], (client) => client.query('SELECT pg_stat_reset()'));
    }
  }, 240_000);

  test('the life of a request, and whatever is asked about it, reads every large table by an index, and little of it', { timeout: 180_000 }, async () => {
    const stopRecording = recordStatements();
    try {
      const running = await bench.start({}, { databases, folder });
      await live(running);
      await running.stop();
    } finally {
      stopRecording();
    }
    const names = new Set([...sent.values()].map((each) => each.database));
    expect(names.size, 'statements to both databases were recorded').toBe(2);
    expect(sent.size).toBeGreaterThan(100);
    for (const set of ['main', 'audit'] as const) {
      const { bad, tables } = await readPlans(set);
      expect(bad).toEqual([]);
      expect(tables, 'no large table was left out').toEqual(namesOf(set));
    }
    expect([...(await readWhole('main')), ...(await readWhole('audit'))]).toEqual([]);
  });

  test('a statement that no index serves would be found', async () => {
    const name = new URL(databases.main).pathname.slice(1);
    sent.clear();
    sent.set('bad', { database: name, text: 'SELECT id FROM task WHERE commitment = $1', values: ['c1'] });
    sent.set('worse', { database: name, text: 'SELECT id FROM task WHERE status = $1 ORDER BY id LIMIT 1', values: ['nothing'] });
    const found = (await readPlans('main')).bad;
    expect(found.some((each) => each.startsWith('Seq Scan on task: SELECT id FROM task WHERE commitment'))).toBe(true);
    expect(found.some((each) => each.includes('WHERE status = $1'))).toBe(true);
    expect(await readWhole('main')).toEqual([]);
    await asSuperuser(databases.main, (client) => client.query('SELECT max(kind) FROM suppression'));
    expect(await eventually('The count of what was read', async () => ((await readWhole('main')).includes('suppression') ? true : undefined))).toBe(true);
  });
});
