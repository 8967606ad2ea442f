import type { ColumnType } from 'kysely';
import type { RequestId } from '../../contract/ids.ts';
import type { RequestStatus, Right, Verdict } from '../../contract/outcomes.ts';
import type { DelayReason, RefusalReason } from '../../contract/justifications.ts';
import type { PauseCondition } from './domain/law-pack.ts';

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
    /** Of a copy: the erasure of the same person that had begun when this came. */
    erased_under: ColumnType<RequestId | null, RequestId | null | undefined, RequestId | null>;
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
    /** As `de` or `pt-BR`. */
    language: ColumnType<string | null, string | null | undefined, string | null>;
    law_version: ColumnType<string | null, string | null | undefined, string | null>;
    extended_at: OptionalTime;
    extension_reason: ColumnType<DelayReason | null, DelayReason | null | undefined, DelayReason | null>;
    /** A date without a time: `2026-12-31`. */
    extended_until: ColumnType<string | null, string | null | undefined, string | null>;
    clock_wake_at: OptionalTime;
    /** The connections that it is limited to; null for all of them. */
    systems: ColumnType<string[] | null, string[] | null | undefined, string[] | null>;
  };
  clock_pause: {
    request_id: RequestId;
    paused_at: Time;
    resumed_at: OptionalTime;
    condition: PauseCondition;
  };
  appeal: {
    request_id: RequestId;
    opened_at: Time;
    due_at: Time;
    decision: ColumnType<'granted' | 'denied' | null, null | undefined, 'granted' | 'denied'>;
    reason_code: ColumnType<RefusalReason | null, null | undefined, RefusalReason | null>;
    decided_at: OptionalTime;
    decided_by: ColumnType<string | null, null | undefined, string>;
  };
}
