import type { ErrorCode } from '../../contract/errors.ts';
import type { RequestId } from '../../contract/ids.ts';

/** The intake module's tables. */
export interface IntakeTables {
  intake_replay: {
    source: string;
    message_id: Buffer;
    payload_hash: Buffer;
    status: number;
    answer: unknown;
    seen_at: Date;
  };
  profile_job: {
    subject: Buffer;
    request_id: RequestId;
  };
  bus_position: {
    source: string;
    topic: string;
    partition: number;
    /** A bigint, which PostgreSQL's drivers give as text. */
    next_offset: string;
  };
  bus_refusal: {
    source: string;
    place: string;
    code: ErrorCode;
    refused_at: Date;
  };
}
