import { sql } from 'kysely';
import type { Database } from '../../src/platform/db/database.ts';

/** Where an installation stands. */
export interface Standing {
  /** What something is still to be done about, by kind, id and status. */
  readonly underWay: readonly string[];
  /** Manual tasks that are open. */
  readonly withPeople: number;
  /** A number that changes whenever anything goes on: entries of the log, and steps of tasks. */
  readonly changes: number;
}

/** Reads what is under way: requests, tasks, messages and entries of the log that are not over and that no person has. */
export async function readStanding(main: Database): Promise<Standing> {
  const { rows } = await sql<{ what: string; is_with_person: boolean }>`
    SELECT 'request ' || r.id || ' ' || r.status AS what,
      EXISTS (SELECT FROM manual_task m JOIN privacy_request w ON w.id = m.request_id WHERE m.settled_at IS NULL AND w.status IN ('escalated', 'awaiting_approval')
        AND (w.id = r.id OR (r.status = 'verified' AND w.id = r.duplicate_of))) AS is_with_person
    FROM privacy_request r WHERE r.wake_at IS NOT NULL
    UNION ALL SELECT 'task ' || t.id || ' ' || t.status, false FROM task t WHERE t.status NOT IN ('settled', 'manual')
      AND NOT EXISTS (SELECT FROM privacy_request r WHERE r.id = t.request_id AND r.status = 'awaiting_approval')
    UNION ALL SELECT 'notification ' || id, false FROM notification WHERE wake_at IS NOT NULL
    UNION ALL SELECT 'entry ' || event_id, false FROM audit_outbox WHERE delivered_at IS NULL`.execute(main.read());
  const { rows: counted } = await sql<{ open: number; changes: number }>`
    SELECT (SELECT count(*)::int FROM manual_task WHERE settled_at IS NULL) AS open,
      ((SELECT count(*) FROM audit_outbox) + (SELECT count(delivered_at) FROM audit_outbox) + (SELECT coalesce(sum(attempts_total + epoch), 0) FROM task) + (SELECT coalesce(sum(attempts), 0) FROM notification))::int AS changes`.execute(main.read());
  return { underWay: rows.filter((row) => !row.is_with_person).map((row) => row.what), withPeople: counted[0]?.open ?? 0, changes: counted[0]?.changes ?? 0 };
}
