import type { ColumnType } from 'kysely';
import type { TaskId } from '../../contract/ids.ts';

/** The connections module's tables. */
export interface ConnectionTables {
  connection_state: {
    name: string;
    suspended_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
    suspended_reason: ColumnType<string | null, string | null | undefined, string | null>;
    consecutive_failures: ColumnType<number, number | undefined, number>;
    open_until: ColumnType<Date | null, Date | null | undefined, Date | null>;
  };
  connection_lease: { connection: string; task_id: TaskId; expires_at: Date };
}
