import type { AuditEntry } from '../../contract/audit-entry.ts';
import { formatId } from '../../contract/ids.ts';
import { isoTime } from '../../platform/clock.ts';
import type { TaskRow } from './task-store.ts';

/** What names a task in an audit entry. */
export type NamedTask = Pick<TaskRow, 'id' | 'request_id' | 'connection' | 'connector' | 'action'>;

/** Gives the part that every audit entry about a task has, as something that the system did at `now`. */
export function aboutTask(task: NamedTask, now: number): Pick<AuditEntry, 'at' | 'actor' | 'request_id' | 'task_id' | 'system' | 'connector' | 'action'> {
  return {
    at: isoTime(now),
    actor: { role: 'system' },
    request_id: formatId('request', task.request_id),
    task_id: formatId('task', task.id),
    system: task.connection,
    connector: task.connector,
    action: task.action,
  };
}
