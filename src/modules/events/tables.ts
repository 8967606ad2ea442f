import type { ColumnType, Generated } from 'kysely';
import type { RequestId } from '../../contract/ids.ts';

type OptionalTime = ColumnType<Date | null, Date | null | undefined, Date | null>;
type OptionalText = ColumnType<string | null, string | null | undefined, string | null>;

/** Where a delivery stands. */
export type DeliveryStatus = 'waiting' | 'delivered' | 'dead';

/** The events module's tables. */
export interface EventTables {
  event: {
    id: string;
    seq: ColumnType<number, never, never>;
    type: string;
    request_id: RequestId | null;
    at: Date;
    detail: ColumnType<Readonly<Record<string, unknown>>, string, never>;
  };
  event_delivery: {
    id: string;
    event_id: string;
    seq: number;
    lane: string;
    rule: string;
    target: string;
    destination: string;
    round: Generated<number>;
    status: Generated<DeliveryStatus>;
    attempts: Generated<number>;
    created_at: Date;
    next_at: Date;
    ended_at: OptionalTime;
    code: OptionalText;
    reference: OptionalText;
    needs_acknowledgement: boolean;
    acknowledged_at: OptionalTime;
    acknowledged_by: OptionalText;
    acknowledged_as: OptionalText;
  };
  event_destination: {
    name: string;
    epoch: Generated<number>;
    lease_until: OptionalTime;
    failures: Generated<number>;
    paused_until: OptionalTime;
    disabled_at: OptionalTime;
    disabled_code: OptionalText;
  };
  event_replay: {
    id: string;
    rule: string;
    target: string | null;
    only_dead: boolean;
    from_at: Date;
    to_at: Date;
    after_seq: Generated<number>;
    looked_at: Generated<number>;
    sent: Generated<number>;
    requested_by: string;
    requested_at: Date;
    done_at: OptionalTime;
  };
}
