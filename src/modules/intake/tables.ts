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
}
