import { hash } from 'node:crypto';
import { sql } from 'kysely';
import { compose } from '../../src/composition.ts';
import { loadConfig } from '../../src/platform/config/load.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { tablesOf, type Database } from '../../src/platform/db/database.ts';
import { openPostgres } from '../../src/platform/db/postgres.ts';
import { createLog } from '../../src/platform/log.ts';
import { verifyLog, type LogRow } from '../../src/verify/index.ts';
import { inTurns, rowOf, sized, type BenchContext, type BenchRow } from '../measure.ts';
import { startPostgres } from '../postgres.ts';
import type { Row } from '../result.ts';
import { makeInstallation } from '../server.ts';

const runs = 5;
/** As the log's writer does. */
const batchRows = 500;
const passRows = 2000;
/** No vendor is called. */
const noVendors = { stripe: 'http://127.0.0.1:9', twilio: 'http://127.0.0.1:9' } as const;

interface StoredRow extends LogRow {
  readonly event_id: string;
  readonly entry: Buffer;
  readonly hash: Buffer;
}

interface LogTables {
  'audit.log_row': StoredRow;
}

/** Records entries of the usual size, as the modules do in their transactions. */
async function record(main: Database, count: number): Promise<void> {
  await sql`
    INSERT INTO audit_outbox (event_id, entry)
    SELECT gen_random_uuid(), jsonb_build_object('type', 'task.settled', 'at', '2026-01-01T00:00:00.000Z', 'actor', jsonb_build_object('role', 'system'), 'request_id', 'req_' || md5(n::text),
      'task_id', 'tsk_' || md5((n + 1)::text), 'system', 'stripe', 'connector', 'stripe', 'action', 'erase', 'outcome', 'erased', 'confirmation', 'verified_absent')
    FROM generate_series(1, ${count}::integer) AS n`.execute(main.read());
}

async function readRows(audit: Database, from: number, limit: number): Promise<readonly StoredRow[]> {
  return audit.read<LogTables>().selectFrom('audit.log_row').select(['seq', 'event_id', 'entry', 'hash']).where('seq', '>=', from).orderBy('seq').limit(limit).execute();
}

async function* allRows(audit: Database): AsyncGenerator<readonly StoredRow[]> {
  for (let from = 0; ; from += passRows) {
    const rows = await readRows(audit, from, passRows);
    if (rows.length === 0) return;
    yield rows;
  }
}

/** The same rows into a table with the same keys, in the same batches: no chain, no tree, no outbox, and committed to disk as durably. */
async function insertPlain(audit: Database, rows: readonly StoredRow[]): Promise<void> {
  await audit.execute('DROP TABLE IF EXISTS plain_row; CREATE TABLE plain_row (log_id integer, seq bigint, event_id uuid UNIQUE, entry bytea, appended_at timestamptz DEFAULT clock_timestamp(), PRIMARY KEY (log_id, seq))');
  for (let from = 0; from < rows.length; from += batchRows) {
    const batch = rows.slice(from, from + batchRows);
    await audit.transaction(async (tx) => {
      await sql`INSERT INTO plain_row (log_id, seq, event_id, entry) SELECT 1, ${from}::bigint + ord, event_id, convert_to(entry, 'UTF8')
        FROM unnest(${batch.map((row) => row.event_id)}::uuid[], ${batch.map((row) => row.entry.toString('utf8'))}::text[]) WITH ORDINALITY AS given (event_id, entry, ord)`.execute(
        tablesOf<LogTables>(tx),
      );
    });
  }
}

const rateOf = async (count: number, work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return (count * 1000) / (performance.now() - start);
};

/** Each row's hash over the one before and its own bytes, and nothing else. */
function chain(rows: readonly LogRow[], start: Buffer): Buffer {
  let prev: Buffer = start;
  for (const { entry } of rows) prev = hash('sha256', Buffer.concat([prev, entry]), 'buffer');
  return prev;
}

async function measureVerification(context: BenchContext, audit: Database, run: () => Promise<{ readonly ok: boolean }>): Promise<readonly Row[]> {
  const kept: (readonly StoredRow[])[] = [];
  for await (const rows of allRows(audit)) kept.push(rows);
  const count = kept.reduce((sum, rows) => sum + rows.length, 0);
  const nothing: Buffer = Buffer.alloc(32);
  const refuse = (ok: boolean): void => {
    if (!ok) throw new Error('The log that was written does not verify');
  };
  const inMemory = await inTurns(context, 'audit-verify', runs, {
    measured: () => rateOf(count, async () => refuse((await verifyLog({ origin: 'example.com/quittance-bench', rows: kept, heads: [], trust: { keys: [] } })).ok)),
    reference: () => rateOf(count, async () => void kept.reduce((prev, rows) => chain(rows, prev), nothing)),
  });
  const stored = await inTurns(context, 'audit-verify-stored', runs, {
    measured: () => rateOf(count, async () => refuse((await run()).ok)),
    reference: () =>
      rateOf(count, async () => {
        let prev: Buffer = nothing;
        for await (const rows of allRows(audit)) prev = chain(rows, prev);
      }),
  });
  const goal = { how: 'at_least', factor: 0.5, plus: 0 } as const;
  const head = { unit: 'rows/s', size: count, goal };
  return [
    rowOf({ ...head, name: 'audit-verify', what: 'audit log verified: every hash, link, entry and the whole tree, from memory, one core', against: 'plain SHA-256 chaining of the same bytes' }, inMemory),
    rowOf({ ...head, name: 'audit-verify-stored', what: 'the same from PostgreSQL, with signed heads, tile hashes and the outbox counted', against: 'reading the same rows in the same pages and chaining them' }, stored),
  ];
}

/** The audit log: appending and verifying. */
const audit: BenchRow = {
  name: 'audit',
  run: async (context) => {
    const server = await startPostgres();
    const urls = await server.createDatabases();
    const installation = makeInstallation(noVendors, urls);
    const main = openPostgres(urls.main, () => undefined);
    const auditDatabase = openPostgres(server.asSuperuser(urls.audit), () => undefined);
    const settings = readSettings(Object.fromEntries(Object.entries(installation.environment).filter(([name]) => name.startsWith('QUITTANCE_'))));
    const secrets = { environment: installation.environment, readFile: () => '' };
    const quittance = await compose({ settings, config: loadConfig(settings.configPath), services: [], log: createLog('error'), secrets });
    try {
      const size = sized(context, 20_000, batchRows);
      const append = async (): Promise<number> => {
        await record(main, size);
        return rateOf(size, () => quittance.audit.settle());
      };
      await append();
      const rows = await readRows(auditDatabase, 0, size);
      await insertPlain(auditDatabase, rows);
      const pairs = await inTurns(context, 'audit-append', runs, { measured: append, reference: () => rateOf(size, () => insertPlain(auditDatabase, rows)) });
      const head = {
        name: 'audit-append',
        what: 'audit entries from the outbox into the log: chained, Merkle-hashed, signed, durable, and marked as delivered',
        against: `the same rows inserted unchained in the same batches of ${batchRows}, without an outbox`,
        unit: 'rows/s',
        size,
        goal: { how: 'at_least', factor: 0.7, plus: 0 },
      } as const;
      return [rowOf(head, pairs), ...(await measureVerification(context, auditDatabase, () => quittance.audit.verification.run()))];
    } finally {
      await quittance.stop();
      await main.close();
      await auditDatabase.close();
      await installation.remove();
      await server.stop();
    }
  },
};

/** Appending to the audit log and verifying it. */
export const auditRows: readonly BenchRow[] = [audit];
