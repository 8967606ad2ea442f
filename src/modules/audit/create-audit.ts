import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { Clock } from '../../platform/clock.ts';
import type { ChangingKey } from '../../platform/crypto/system-keys.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { isFailure } from '../../platform/failure.ts';
import type { HttpServer } from '../../platform/http/server.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import type { Log } from '../../platform/log.ts';
import type { Authenticate } from '../access/index.ts';
import { createCertificateIssuer, type CertificateIssuer } from './certificates.ts';
import { exportLog, type ExportedLog } from './export-log.ts';
import { auditVerify } from './jobs.ts';
import { createLogKeys, type LogKeys } from './log-keys.ts';
import { createLogWriter } from './log-writer.ts';
import { recordAuditEntry } from './record-audit-entry.ts';
import { registerAuditRoutes } from './routes.ts';
import { runLogWriter } from './run-log-writer.ts';
import { createAuditLogVerification, type AuditAlert, type AuditLogVerification } from './verify-audit-log.ts';

/** What the audit module needs. */
export interface AuditDeps {
  /** The operational database, which holds the outbox. */
  readonly database: Database;
  readonly auditDatabase: Database;
  /** Keeps the keys that sign the log. */
  readonly signingKey: ChangingKey;
  readonly clock: Clock;
  readonly jobs: Pick<Jobs, 'work'>;
  readonly log: Log;
  readonly config: { readonly origin: string; readonly checkpoint_seconds: number };
  /** Brings an alert to a person, besides the error that is logged. */
  readonly onAlert?: (alert: AuditAlert) => Promise<void>;
}

/** The audit log of a process. */
export interface Audit {
  /** Records an entry in the caller's transaction. */
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<string>;
  readonly certificates: CertificateIssuer;
  readonly verification: AuditLogVerification;
  readonly keys: LogKeys;
  /** Appends everything recorded so far and signs a head over it. False when another process is the writer. */
  readonly settle: () => Promise<boolean>;
  readonly exportLog: (folder: string, onProgress?: (rows: number, size: number) => void) => Promise<ExportedLog>;
  /** Keeps the log written, and verifies it when the job says so, until the answered function is called. */
  readonly startWriter: () => Promise<() => Promise<void>>;
  readonly registerRoutes: (app: HttpServer, authenticate: Authenticate) => void;
}

/** Makes the audit module of a process. */
export async function createAudit(deps: AuditDeps): Promise<Audit> {
  const { database: main, auditDatabase: audit, clock, log } = deps;
  const keys = createLogKeys({ database: main, signingKey: deps.signingKey, origin: deps.config.origin, clock });
  const writer = createLogWriter({ main, audit, keys });
  const onAlert = async (alert: AuditAlert): Promise<void> => {
    switch (alert.kind) {
      case 'failed':
        log.error({ check: alert.refusal.check, seq: alert.refusal.seq }, 'the audit log failed its verification');
        break;
      case 'overdue':
        log.error({ last_run_at: alert.lastRunAt }, 'the audit log was not verified for more than a week');
        break;
      case 'unwritable':
        log.error({ detail: alert.detail }, 'nothing more is written to the audit log');
        break;
    }
    await deps.onAlert?.(alert);
  };
  const verification = createAuditLogVerification({ main, audit, keys, writer, clock, onAlert });
  return {
    record: (tx, entry) => recordAuditEntry(tx, entry),
    certificates: createCertificateIssuer({ main, audit, keys, clock }),
    verification,
    keys,
    settle: async () => {
      const appended = await writer.flush();
      if (appended === undefined) return false;
      await writer.checkpoint();
      return true;
    },
    exportLog: (folder, onProgress) => exportLog(audit, keys, folder, onProgress),
    startWriter: async () => {
      await deps.jobs.work(auditVerify, async () => {
        // A log that does not hold is reported by the alert; failing the job would only verify the same damage again and again.
        await verification.run();
      });
      const running = runLogWriter({
        writer,
        clock,
        log,
        checkpointMs: deps.config.checkpoint_seconds * 1000,
        checkOverdue: verification.checkOverdue,
        onFailure: async (error) => {
          log.error({ err: error }, 'the audit log is not being written');
          if (isFailure(error) && error.code === 'AUDIT_INVALID') await onAlert({ kind: 'unwritable', detail: error.detail });
        },
      });
      return running.stop;
    },
    registerRoutes: (app, authenticate) => registerAuditRoutes(app, { main, audit, keys, verification, authenticate }),
  };
}
