import type { ColumnType, Generated } from 'kysely';
import type { RequestId, TaskId } from '../../contract/ids.ts';
import type { Counts } from '../../contract/outcomes.ts';

/** Where a package stands. `stale`: pages came after it was made. */
export type PackageState = 'making' | 'ready' | 'stale' | 'failed' | 'ended';
/** Why a package went. */
export type EndedWhy = 'expired' | 'revoked' | 'shredded';

/** What is kept of a package beside its bytes: names of the configuration and counts. */
export interface PackageSummary {
  readonly categories?: Counts;
  readonly left_out?: number;
  readonly files?: number;
  readonly findings?: readonly PackageFinding[];
}

/** What somebody should mend in the declarations. */
export interface PackageFinding {
  readonly code: 'type_not_declared';
  readonly system: string;
  readonly type: string;
  readonly records: number;
}

type OptionalTime = ColumnType<Date | null, Date | null | undefined, Date | null>;

/** The exports module's tables. */
export interface ExportTables {
  export_object: { name: string; request_id: RequestId; made_at: Date; delete_at: Date | null; refusals: Generated<number> };
  export_part: { task_id: TaskId; ordinal: number; request_id: RequestId; connection: string; object_name: string; counts: ColumnType<Counts, string, string> };
  export_task: { task_id: TaskId; request_id: RequestId; epoch: number };
  export_package: {
    request_id: RequestId;
    state: PackageState;
    state_at: Date;
    generated_at: Date;
    epoch: Generated<number>;
    lease_until: OptionalTime;
    attempts: Generated<number>;
    error_code: ColumnType<string | null, string | null | undefined, string | null>;
    wake_at: OptionalTime;
    object_name: ColumnType<string | null, string | null | undefined, string | null>;
    encryption: ColumnType<'age' | 'storage' | null, 'age' | 'storage' | null | undefined, 'age' | 'storage' | null>;
    identity: ColumnType<Buffer | null, Buffer | null | undefined, Buffer | null>;
    bytes: ColumnType<string | number | null, number | null | undefined, number | null>;
    records: ColumnType<string | number | null, number | null | undefined, number | null>;
    summary: ColumnType<PackageSummary, string | undefined, string>;
    copies_before: ColumnType<number | null, number | null | undefined, number | null>;
    expires_at: OptionalTime;
    ended_why: ColumnType<EndedWhy | null, EndedWhy | null | undefined, EndedWhy | null>;
    link_number: Generated<number>;
    token_hash: ColumnType<Buffer | null, Buffer | null | undefined, Buffer | null>;
    code_number: Generated<number>;
    code_attempts: Generated<number>;
    code_expires_at: OptionalTime;
    code_used: Generated<boolean>;
    codes_since: OptionalTime;
    codes_in_window: Generated<number>;
    downloads: Generated<number>;
    downloaded_at: OptionalTime;
  };
  export_copy: { hash: Buffer; made_at: Date };
}
