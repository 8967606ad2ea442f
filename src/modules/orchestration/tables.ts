import type { ColumnType } from 'kysely';
import type { IdentifierId, ManualTaskId, RequestId, TaskId } from '../../contract/ids.ts';
import type { IdentifierKind } from '../../contract/identifiers.ts';
import type { Action, Confirmation, Counts, Decision, Outcome, Residue, TaskStatus } from '../../contract/outcomes.ts';
import type { ErrorCode } from '../../contract/errors.ts';

type OptionalTime = ColumnType<Date | null, Date | null | undefined, Date | null>;
type Optional<T> = ColumnType<T | null, T | null | undefined, T | null>;
type WithDefault<T> = ColumnType<T, T | undefined, T>;
/** JSON is written as text and read as a value. */
type Document<T> = ColumnType<T, string | undefined, string>;

/** The orchestration module's tables. */
export interface OrchestrationTables {
  task: {
    id: TaskId;
    request_id: RequestId;
    connection: string;
    connector: string;
    identifier_id: IdentifierId;
    identifier_kind: IdentifierKind;
    commitment: string;
    action: Action;
    decision: Decision;
    status: TaskStatus;
    outcome: Optional<Outcome>;
    confirmation: Optional<Confirmation>;
    after: WithDefault<TaskId[]>;
    seen_here: boolean;
    counts: Document<Counts>;
    residue: Document<readonly Residue[]>;
    proof: Document<Record<string, string | number | boolean>>;
    cursor: Optional<Buffer>;
    cursor_before: Optional<Buffer>;
    vendor_job: Optional<string>;
    vendor_job_open: WithDefault<boolean>;
    reconciled_at: OptionalTime;
    reconciled_state: Optional<string>;
    progress_done: Optional<number>;
    progress_total: Optional<number>;
    error_code: Optional<ErrorCode>;
    attempt: WithDefault<number>;
    attempts_total: WithDefault<number>;
    confirm_count: WithDefault<number>;
    epoch: WithDefault<number>;
    lease_until: OptionalTime;
    queued: WithDefault<boolean>;
    wake_at: OptionalTime;
    latest_safe_start: Date;
    dispatched_at: OptionalTime;
    window_ends_at: OptionalTime;
    settled_at: OptionalTime;
    revisit_at: OptionalTime;
    created_at: Date;
  };
  attempt: {
    task_id: TaskId;
    number: number;
    step: 'act' | 'confirm';
    epoch: number;
    started_at: Date;
    finished_at: OptionalTime;
    result: Optional<string>;
    error_code: Optional<string>;
  };
  work_item: {
    task_id: TaskId;
    ordinal: ColumnType<number, never, never>;
    type: string;
    ref_hash: Buffer;
    sealed: Buffer;
    state: WithDefault<'open' | 'deleted' | 'absent'>;
    due_at: OptionalTime;
  };
  manual_task: {
    id: ManualTaskId;
    request_id: RequestId;
    task_id: TaskId | null;
    reason_code: ErrorCode;
    opened_at: Date;
    remind_at: OptionalTime;
    settled_at: OptionalTime;
    settled_by: Optional<string>;
    settled_how: Optional<string>;
  };
}
