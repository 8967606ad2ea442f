import pg from 'pg';

/** How many rows the largest tables get, and the other large ones. */
const mostRows = 1_000_000;
const manyRows = 200_000;
/** The tables that get the most: what there is of each request for ever, and what is looked up for each one. */
const largest = new Set(['privacy_request', 'task', 'subject_identity', 'notification', 'audit_outbox', 'suppression', 'intake_replay', 'audit.log_row']);

/** An id by its number, in the order of the numbers, as ids by time are. */
const id = (kind: string, number = 'n'): string => `('0190000${kind}-0000-7000-8000-' || lpad(to_hex(${number}), 12, '0'))::uuid`;
const hash = (text: string): string => `sha256(convert_to('${text}' || n, 'UTF8'))`;
const received = "timestamptz '2024-01-01' + n * interval '1 minute'";
/** Of a thousand requests one is open, in one of the states in which one waits. */
const openStatus = "(ARRAY['received', 'awaiting_approval', 'executing', 'confirming', 'escalated'])[1 + n / 1000 % 5]";
const isOpen = 'n % 1000 = 0';

/** The large tables of the operational database, and what each of their rows holds, by its number `n`. */
const mainRows: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  privacy_request: {
    id: id('1'),
    reference: "'Q-' || n",
    source: "'crm'",
    source_id: hash('source'),
    payload_hash: hash('payload'),
    request_right: "'erasure'",
    law: "'gdpr'",
    status: `CASE WHEN ${isOpen} THEN ${openStatus} ELSE 'closed' END`,
    verdict: `CASE WHEN ${isOpen} THEN NULL ELSE 'fulfilled' END`,
    vouched: 'true',
    moved_at: received,
    received_at: received,
    due_at: `${received} + interval '30 days'`,
    closed_at: `CASE WHEN ${isOpen} THEN NULL ELSE ${received} END`,
    wake_at: `CASE WHEN ${isOpen} THEN timestamptz '2100-01-01' END`,
  },
  request_key: { request_id: id('1'), master_key_id: "'00'", destroyed_at: 'now()' },
  // Everybody asked twice.
  subject_identity: { id: id('2'), request_id: id('1'), kind: "'email'", sealed: hash('sealed'), lookup: "sha256(convert_to('lookup' || n / 2, 'UTF8'))", commitment: hash('commitment'), found_by: "'given'", confidence: '1', found_at: received },
  verification: { request_id: id('1'), source: "'crm'", method: "'email_code'", expires_at: received },
  identity_mapping: { row_id: id('3', 'n / 2'), kind: "'email'", lookup: hash('mapped'), sealed: hash('sealed') },
  suppression: { hash: hash('suppressed'), kind: "'email'", added_at: received },
  intake_replay: { source: "'crm'", message_id: hash('message'), payload_hash: hash('payload'), status: '202', answer: "'{}'", seen_at: received },
  task: {
    id: id('4'),
    request_id: id('1'),
    connection: "(ARRAY['stripe', 'twilio', 'segment'])[1 + n % 3]",
    connector: "'stripe'",
    identifier_id: id('2'),
    identifier_kind: "'email'",
    commitment: "'c' || n",
    action: "'erase'",
    decision: "'erase'",
    status: `CASE WHEN ${isOpen} THEN 'waiting' ELSE 'settled' END`,
    outcome: `CASE WHEN ${isOpen} THEN NULL ELSE 'erased' END`,
    seen_here: 'true',
    wake_at: `CASE WHEN ${isOpen} THEN timestamptz '2100-01-01' END`,
    latest_safe_start: received,
    created_at: received,
  },
  attempt: { task_id: id('4'), number: '1', step: "'erase'", epoch: '1', started_at: received },
  work_item: { task_id: id('4', 'n / 100 * 100'), type: "'message'", ref_hash: hash('ref'), sealed: hash('sealed'), state: "CASE WHEN n % 10 = 0 THEN 'open' ELSE 'deleted' END" },
  manual_task: { id: id('5'), request_id: id('1'), task_id: id('4'), reason_code: "'STILL_PRESENT'", opened_at: received, settled_at: `CASE WHEN ${isOpen} THEN NULL ELSE ${received} END`, remind_at: `CASE WHEN ${isOpen} THEN timestamptz '2100-01-01' END` },
  notification: { id: id('6'), request_id: id('1'), template: "'closed'", recipient: "'subject'", occasion: "'closed'", created_at: received, sent_at: received },
  audit_outbox: { event_id: id('7'), request_id: id('1'), entry: "'{}'", created_at: received, delivered_at: received },
  certificate_statement: { event_id: id('7'), request_id: id('1'), statement: "'{}'" },
};

/** The log of somebody else in the same tables: each row behind the last, as the constraints want it. */
const auditRows: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'audit.log_row': {
    log_id: '1000',
    seq: 'n',
    prev: "sha256('\\x00'::bytea || convert_to((n - 1)::text, 'UTF8'))",
    hash: "sha256('\\x00'::bytea || convert_to(n::text, 'UTF8'))",
    event_id: id('7'),
    entry: "convert_to(n::text, 'UTF8')",
  },
  'audit.checkpoint': { log_id: '1000', size: 'n + 1', root: hash('root'), note: "'head'" },
};

/** The large tables of each database. */
export const largeTables = { main: Object.keys(mainRows), audit: Object.keys(auditRows) } as const;

/** How to take away and make again the indexes of a table that no foreign key leans on, each alone or as the constraint that it is of. */
const indexesOf = `
  SELECT CASE WHEN c.oid IS NULL THEN 'DROP INDEX ' || i.indexrelid::regclass ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', i.indrelid::regclass, c.conname) END AS drop,
    CASE WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid) ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', i.indrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) END AS make
  FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
  WHERE i.indrelid = $1::regclass AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.conindid = i.indexrelid)`;

/**
 * Fills the large tables of a database, as its superuser. Without foreign keys being looked at, and with the indexes made afterwards, this takes
 * a tenth of the time.
 */
export async function fillDatabase(url: string, set: 'main' | 'audit'): Promise<void> {
  const fill = async (table: string, row: Readonly<Record<string, string>>): Promise<void> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query("SET session_replication_role = replica; SET synchronous_commit = off; SET maintenance_work_mem = '256MB'");
      const { rows } = await client.query<{ drop: string; make: string }>(indexesOf, [table]);
      for (const each of rows) await client.query(each.drop);
      const count = largest.has(table) ? mostRows : manyRows;
      await client.query(`INSERT INTO ${table} (${Object.keys(row).join(', ')}) SELECT ${Object.values(row).join(', ')} FROM generate_series(1, ${count}) AS n`);
      for (const each of rows) await client.query(each.make);
      await client.query(`ANALYZE ${table}`);
    } finally {
      await client.end();
    }
  };
  const waiting = Object.entries(set === 'main' ? mainRows : auditRows);
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await fill(...next);
  };
  await Promise.all([work(), work()]);
}
