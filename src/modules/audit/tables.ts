import type { ColumnType, Generated } from 'kysely';

/** The audit module's tables in the operational database. */
export interface AuditOutboxTables {
  audit_outbox: {
    id: Generated<number>;
    event_id: string;
    request_id: string | null;
    entry: ColumnType<unknown, string, never>;
    created_at: Generated<Date>;
    delivered_at: Date | null;
  };
  certificate_statement: { event_id: string; request_id: string; statement: string };
}

/** The tables of the audit database. They are written through its functions only. */
export interface AuditLogTables {
  'audit.log': { id: number; origin: string; epoch: number };
  'audit.log_row': { log_id: number; seq: number; prev: Buffer; hash: Buffer; event_id: string; entry: Buffer; appended_at: Date };
  'audit.tile_hash': { log_id: number; level: number; index: number; hash: Buffer };
  'audit.checkpoint': { log_id: number; size: number; root: Buffer; note: string; signed_at: Date };
  'audit.verification': {
    id: Generated<number>;
    log_id: number;
    finished_at: Date;
    ok: boolean;
    size: number;
    grade: string | null;
    failed_check: string | null;
    seq: number | null;
  };
}
