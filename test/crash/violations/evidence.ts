import { sql, type RawBuilder } from 'kysely';
import { formatId, parseId } from '../../../src/contract/ids.ts';
import type { Database } from '../../../src/platform/db/database.ts';
import type { Residue } from '../../../src/contract/outcomes.ts';
import type { Person } from '../people.ts';
import type { World } from '../violations.ts';
import { readVendors, type VendorTruth } from './vendors.ts';

/** A request's row, as far as rules look at it. */
export interface RequestRow {
  readonly id: string;
  readonly reference: string;
  readonly status: string;
  readonly verdict: string | null;
  readonly duplicate_of: string | null;
  readonly wake_at: Date | null;
  readonly certificate: Uint8Array | null;
  readonly is_destroyed: boolean;
  readonly vault_rows: number;
}

/** A task's row. */
export interface TaskRow {
  readonly id: string;
  readonly request_id: string;
  readonly connection: string;
  readonly identifier_kind: string;
  readonly commitment: string;
  readonly decision: string;
  readonly status: string;
  readonly outcome: string | null;
  readonly confirmation: string | null;
  readonly counts: Readonly<Record<string, number>>;
  readonly residue: readonly Residue[];
  readonly revisit_at: Date | null;
  readonly wake_at: Date | null;
  readonly is_leased: boolean;
  readonly has_place: boolean;
  readonly has_sealed: boolean;
}

/** What waits, or waited, for a person. */
export interface ManualRow {
  readonly id: string;
  readonly request_id: string;
  readonly task_id: string | null;
  readonly reason_code: string;
  readonly remind_at: Date | null;
  readonly settled_at: Date | null;
  readonly settled_how: string | null;
}

/** A message to somebody. */
export interface NotificationRow {
  readonly id: string;
  readonly request_id: string | null;
  readonly template: string;
  readonly recipient: string;
  readonly sent_at: Date | null;
  readonly attempts: number;
  readonly error_code: string | null;
  readonly wake_at: Date | null;
}

/** An entry of the audit log. */
export interface Entry {
  readonly type: string;
  readonly request_id?: string;
  readonly task_id?: string;
  readonly from?: string;
  readonly to?: string;
  readonly outcome?: string;
  readonly confirmation?: string;
  readonly verdict?: string;
  readonly system?: string;
}

/** An entry as it was recorded beside what it tells of. */
export interface OutboxRow {
  readonly id: number;
  readonly event_id: string;
  readonly request_id: string | null;
  readonly entry: Entry;
  readonly delivered_at: Date | null;
}

/** An entry as the log has it. */
export interface LogRow {
  readonly seq: number;
  readonly event_id: string;
  readonly entry: Uint8Array;
  readonly hash: Uint8Array;
}

/** What both databases and the vendors hold after a round. Ids are in their inside form. */
export interface Evidence {
  readonly world: World;
  readonly requests: readonly RequestRow[];
  readonly tasks: readonly TaskRow[];
  readonly manual: readonly ManualRow[];
  readonly notifications: readonly NotificationRow[];
  readonly outbox: readonly OutboxRow[];
  readonly log: readonly LogRow[];
  readonly heads: readonly string[];
  readonly vendors: VendorTruth;
  /** The connected systems. */
  readonly systems: readonly string[];
  /** Requests that were accepted of each person, by the person's address. */
  readonly requestsOf: (person: Person) => readonly RequestRow[];
}

async function rows<Row>(database: Database, query: RawBuilder<Row>): Promise<readonly Row[]> {
  return (await query.execute(database.read())).rows;
}

/** Reads everything that the rules look at. */
export async function readEvidence(world: World): Promise<Evidence> {
  const { main, audit } = world;
  const requests = await rows(main, sql<RequestRow>`
    SELECT r.id, r.reference, r.status, r.verdict, r.duplicate_of, r.wake_at, r.certificate,
      coalesce((SELECT k.wrapped IS NULL FROM request_key k WHERE k.request_id = r.id), false) AS is_destroyed,
      (SELECT count(*) FROM subject_identity s WHERE s.request_id = r.id)::int AS vault_rows
    FROM privacy_request r ORDER BY r.received_at, r.id`);
  const tasks = await rows(main, sql<TaskRow>`
    SELECT t.id, t.request_id, t.connection, t.identifier_kind, t.commitment, t.decision, t.status, t.outcome, t.confirmation, t.counts, t.residue, t.revisit_at,
      t.wake_at, coalesce(t.lease_until > clock_timestamp(), false) AS is_leased,
      EXISTS (SELECT FROM connection_lease l WHERE l.task_id = t.id AND l.expires_at > clock_timestamp()) AS has_place,
      (t.cursor IS NOT NULL OR t.cursor_before IS NOT NULL OR EXISTS (SELECT FROM work_item w WHERE w.task_id = t.id) OR EXISTS (SELECT FROM attempt a WHERE a.task_id = t.id)) AS has_sealed
    FROM task t ORDER BY t.created_at, t.id`);
  const manual = await rows(main, sql<ManualRow>`SELECT id, request_id, task_id, reason_code, remind_at, settled_at, settled_how FROM manual_task ORDER BY opened_at, id`);
  const notifications = await rows(main, sql<NotificationRow>`SELECT id, request_id, template, recipient, sent_at, attempts, error_code, wake_at FROM notification ORDER BY created_at, id`);
  const outbox = await rows(main, sql<OutboxRow>`SELECT id::float8 AS id, event_id, request_id, entry, delivered_at FROM audit_outbox ORDER BY audit_outbox.id`);
  const log = await rows(audit, sql<LogRow>`SELECT seq::float8 AS seq, event_id, entry, hash FROM audit.log_row ORDER BY log_row.seq`);
  const heads = await rows(audit, sql<{ note: string }>`SELECT note FROM audit.checkpoint ORDER BY size`);
  const accepted = new Map<string, Set<string>>();
  for (const { id, person } of world.accepted) accepted.set(person.email, (accepted.get(person.email) ?? new Set()).add(parseId('request', id) ?? id));
  return {
    world,
    requests,
    tasks,
    manual,
    notifications,
    outbox,
    log,
    heads: heads.map(({ note }) => note),
    vendors: readVendors(world.simulators),
    systems: world.systems ?? [...new Set(tasks.map((each) => each.connection))],
    requestsOf: (person) => requests.filter((each) => accepted.get(person.email)?.has(each.id) === true),
  };
}

/** The outside form of a request's id, as lines name it. */
export const nameRequest = (id: string): string => formatId('request', id);
/** The outside form of a task's id, with its system. */
export const nameTask = (task: Pick<TaskRow, 'id' | 'connection'>): string => `${formatId('task', task.id)} (${task.connection})`;
