import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { RequestId } from '../../contract/ids.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import type { Log } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import type { Connections } from '../connections/index.ts';
import type { Statement } from '../../verify/index.ts';
import type { Mapping, Vault } from '../identity/index.ts';

/** A notice to the person or to the data protection officer; each occasion once. */
export interface Notice {
  readonly requestId: RequestId;
  readonly template: 'closed' | 'dpo_manual_task' | 'dpo_deadline' | 'dpo_contradicted';
  readonly recipient: 'subject' | 'dpo';
  readonly occasion: string;
}

/** What the orchestration of requests needs from the rest. */
export interface OrchestrationDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly jobs: Pick<Jobs, 'send' | 'poke'>;
  readonly vault: Vault;
  readonly connections: Connections;
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
  readonly notify: (tx: Tx, notice: Notice) => Promise<void>;
  /** Whether anything is still to be said to the person of a request; at most for a week. */
  readonly noticesWait: (requestId: RequestId) => Promise<boolean>;
  /** Identifiers that the imported mapping table ties to these. */
  readonly lookupMapping: Mapping['lookup'];
  readonly addSuppressions: (tx: Tx, identifiers: readonly Identifier[]) => Promise<void>;
  readonly certificates: Certificates;
  /**
   * Called at each named boundary between a step's parts, so that a test can kill the process exactly there. Does nothing in production.
   */
  readonly boundary: (name: BoundaryName) => void;
  readonly policy: OrchestrationPolicy;
}

/** The named instants between the parts of the main job, each of which a crash must survive. */
export const boundaryNames = [
  'request.opening',
  'request.resolving',
  'request.located',
  'request.resolved',
  'request.planned',
  'task.claimed',
  'task.called',
  'task.recorded',
  'request.closing',
  'request.closed',
  'certificate.requested',
  'certificate.issued',
  'request.shredded',
] as const;
/** One named boundary. */
export type BoundaryName = (typeof boundaryNames)[number];

/** The configured policy of requests. */
export interface OrchestrationPolicy {
  readonly approvalRequired: boolean;
  readonly graceMs: number;
  /** A resolution that has not succeeded by then goes to a person. */
  readonly windowMs: number;
  readonly confirmAttemptsMax: number;
  readonly controller: { readonly name: string; readonly contact: string };
}

/** How a certificate comes to be: asked for in a transaction, and built once a signed checkpoint covers its entry. */
export interface Certificates {
  readonly request: (tx: Tx, requestId: RequestId, statement: Statement) => Promise<void>;
  /** The certificate's bytes, or undefined while no checkpoint covers it. */
  readonly build: (requestId: RequestId) => Promise<Buffer | undefined>;
}
