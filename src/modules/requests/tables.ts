import type { ColumnType } from 'kysely';
import type { RequestId } from '../../contract/ids.ts';
import type { RequestStatus, Right, Verdict } from '../../contract/outcomes.ts';

/** A timestamp that is read as a `Date` and written as one. */
type Time = ColumnType<Date, Date, Date>;
type OptionalTime = ColumnType<Date | null, Date | null | undefined, Date | null>;

/** The requests module's tables. */
export interface RequestTables {
  privacy_request: {
    id: RequestId;
    reference: string;
    source: string;
    source_id: Buffer;
    payload_hash: Buffer;
    request_right: Right;
    jurisdiction: string | null;
    law: string;
    status: RequestStatus;
    verdict: Verdict | null;
    reason_code: string | null;
    duplicate_of: RequestId | null;
    vouched: boolean;
    moved_at: Time;
    received_at: Time;
    due_at: Time;
    verified_at: OptionalTime;
    verified_by: ColumnType<string | null, string | null | undefined, string | null>;
    planned_at: OptionalTime;
    closed_at: OptionalTime;
    wake_at: OptionalTime;
    attempt: ColumnType<number, number | undefined, number>;
    version: ColumnType<number, number | undefined, number>;
    certificate: ColumnType<Buffer | null, Buffer | null | undefined, Buffer | null>;
  };
}
