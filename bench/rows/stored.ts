import pg from 'pg';
import { inTurns, rowOf, sized, type BenchRow } from '../measure.ts';
import { plantPeople } from '../people.ts';
import { startPostgres } from '../postgres.ts';
import { makeInstallation } from '../server.ts';
import { settleAll } from '../settle.ts';
import { startLearntVendors } from './settled.ts';

const few = 1000;
const atOnce = 16;
const runs = 5;

/**
 * Requests that ended, as they stand a month later: shredded, with their two tasks, four outbox entries each, statement, suppression
 * hashes and the answer kept for their webhook id. The ids are made so that they sort as real ones do.
 */
const planting = `
SET session_replication_role = replica;
CREATE TEMP TABLE planted AS
  SELECT n, lpad(to_hex(1700000000000 + n), 12, '0') AS stamp, timestamptz '2024-01-01' + n * interval '30 seconds' AS at FROM generate_series(1, $COUNT) AS n;
INSERT INTO privacy_request (id, reference, source, source_id, payload_hash, request_right, jurisdiction, law, status, verdict, vouched, moved_at, received_at, due_at, verified_at, planned_at, closed_at, wake_at)
  SELECT (stamp || '70008000000000000001')::uuid, 'PLANTED-' || n, 'crm', sha256(('s' || n)::bytea), sha256(('p' || n)::bytea), 'erasure', 'DE', 'gdpr', 'closed', 'fulfilled', true, at, at, at + interval '30 days', at, at, at, NULL FROM planted;
INSERT INTO request_key (request_id, master_key_id, wrapped, created_at, destroyed_at)
  SELECT (stamp || '70008000000000000001')::uuid, 'planted', NULL, at, at FROM planted;
INSERT INTO task (id, request_id, connection, connector, identifier_id, identifier_kind, commitment, action, decision, status, outcome, confirmation, seen_here, latest_safe_start, dispatched_at, settled_at, created_at, attempts_total)
  SELECT (stamp || '7000800000000000000' || k)::uuid, (stamp || '70008000000000000001')::uuid, CASE k WHEN 1 THEN 'stripe' ELSE 'twilio' END, CASE k WHEN 1 THEN 'stripe' ELSE 'twilio' END, (stamp || '7000800000000000010' || k)::uuid, 'email', encode(sha256(('c' || n)::bytea), 'hex'), 'erase', 'erase', 'settled', 'erased', 'verified_absent', true, at, at, at, at, 2 FROM planted, generate_series(1, 2) AS k;
INSERT INTO audit_outbox (event_id, request_id, entry, created_at, delivered_at)
  SELECT (stamp || '7000800000000000020' || k)::uuid, (stamp || '70008000000000000001')::uuid, '{"type":"request.status_changed","at":"2024-01-01T00:00:00.000Z"}', at, at FROM planted, generate_series(1, 4) AS k;
INSERT INTO certificate_statement (event_id, request_id, statement)
  SELECT (stamp || '70008000000000000201')::uuid, (stamp || '70008000000000000001')::uuid, '{}' FROM planted;
INSERT INTO suppression (hash, kind, added_at) SELECT sha256(('h' || n)::bytea), 'email', at FROM planted;
INSERT INTO intake_replay (source, message_id, payload_hash, status, answer, seen_at) SELECT 'crm', sha256(('m' || n)::bytea), sha256(('p' || n)::bytea), 202, '{}', at FROM planted;
DROP TABLE planted;
SET session_replication_role = origin;
ANALYZE;
CHECKPOINT`;

async function plantStored(url: string, count: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of planting.replace('$COUNT', String(count)).split(';\n')) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Whether a request costs more the more there are. */
const stored: BenchRow = {
  name: 'stored',
  run: async (context) => {
    const { vendors } = await startLearntVendors();
    const server = await startPostgres();
    const urls = [await server.createDatabases(), await server.createDatabases()] as const;
    const installations = urls.map((each) => makeInstallation(vendors, each));
    try {
      const many = sized(context, 1_000_000, few);
      const servers: string[] = [];
      for (const [index, installation] of installations.entries()) {
        const first = await installation.start();
        await first.stop();
        const count = index === 0 ? few : many;
        context.say(`${stored.name}: planting ${count.toLocaleString('en-US')} requests`);
        await plantStored(server.asSuperuser((urls[index] ?? urls[0]).main), count);
        const { url } = await installation.start();
        servers.push(url);
        await settleAll(url, await plantPeople(vendors, atOnce), atOnce);
      }
      const size = sized(context, 40, 4);
      const cost = async (url: string | undefined): Promise<number> => (await settleAll(url ?? '', await plantPeople(vendors, size), atOnce)) / size;
      const pairs = await inTurns(context, stored.name, runs, { measured: () => cost(servers[1]), reference: () => cost(servers[0]) });
      const head = {
        name: stored.name,
        what: `a request with ${many.toLocaleString('en-US')} requests stored, PostgreSQL, one process`,
        against: `the same with ${few.toLocaleString('en-US')} stored`,
        unit: 'ms a request',
        size,
        goal: { how: 'at_most', factor: 1.1, plus: 0 },
      } as const;
      return [rowOf(head, pairs)];
    } finally {
      for (const each of installations) await each.remove();
      await server.stop();
      await vendors.stop();
    }
  },
};

/** Cost of a request as the number of stored ones grows. */
export const storedRows: readonly BenchRow[] = [stored];
