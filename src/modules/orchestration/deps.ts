import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { ExportedRecord } from '../../connector-kit/index.ts';
import type { RequestId, TaskId } from '../../contract/ids.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { Right } from '../../contract/outcomes.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import type { Log } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import type { Connections } from '../connections/index.ts';
import type { Statement } from '../../verify/index.ts';
import type { Mapping, OpenVault, Vault } from '../identity/index.ts';
import type { DisclosedRecipient, Recipients, SayAgain } from '../notifications/index.ts';

/** A notice to the person, to the data protection officer, or to a recipient of the person's data; each occasion once. */
export interface Notice {
  readonly requestId: RequestId;
  readonly template: 'closed' | 'ready' | 'recipient' | 'dpo_clock' | 'dpo_erasure' | 'dpo_manual_task' | 'dpo_deadline' | 'dpo_contradicted';
  readonly recipient: 'subject' | 'dpo' | DisclosedRecipient;
  readonly occasion: string;
}

/** Where what systems give of a person is kept, sealed, and made into the package that the person gets. */
export interface PackageMaking {
  /** Keeps a page; one that comes again takes the place of the first. Answers false, and keeps nothing, where a worker of a higher epoch has the task. */
  readonly addPage: (vault: OpenVault, page: { readonly requestId: RequestId; readonly taskId: TaskId; readonly connection: string; readonly ordinal: number; readonly epoch: number; readonly records: readonly ExportedRecord[] }) => Promise<boolean>;
  /** Drops a task's pages from this one on; answers false, and drops none, where a worker of a higher epoch has the task. */
  readonly dropPages: (pages: { readonly requestId: RequestId; readonly taskId: TaskId; readonly epoch: number; readonly from: number }) => Promise<boolean>;
  /** Has the package made in the background, unless it is being made or is there; `requestAdvance` is sent when it is whole, or could not be made. */
  readonly make: (tx: Tx, requestId: RequestId) => Promise<void>;
  /** Where that stands, and since when. */
  readonly stateOf: (tx: Tx, requestId: RequestId) => Promise<{ readonly state: 'none' | 'making' | 'ready' | 'failed' | 'revoked'; readonly at: Date }>;
  /** Ends a request's package, and has it and its pages deleted. */
  readonly discard: (tx: Tx, requestId: RequestId) => Promise<void>;
  /** Until when a request's package can be fetched, milliseconds since the epoch; undefined where there is none. */
  readonly expiresAt: (requestId: RequestId) => Promise<number | undefined>;
}

/** The register of who must not be processed for what. */
export interface RestrictionEntering {
  /** Enters a person's identifiers under a right, for what that right stops. Idempotent. */
  readonly enter: (tx: Tx, right: Right, identifiers: readonly Identifier[]) => Promise<void>;
  /** Notes that a recipient is told of it by these identifiers. Idempotent. */
  readonly noteTold: (tx: Tx, right: Right, identifiers: readonly Identifier[], recipient: string) => Promise<void>;
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
  /** Has said once more what could not be said of a request. */
  readonly sayAgain: SayAgain;
  /** Whether anything is still to be said to the person of a request, to recipients of their data, or by an event that carries something of them; at most for a week. */
  readonly noticesWait: (requestId: RequestId) => Promise<boolean>;
  /** Identifiers that the imported mapping table ties to these. */
  readonly lookupMapping: Mapping['lookup'];
  readonly exports: PackageMaking;
  readonly restrictions: RestrictionEntering;
  /** Whom the data of systems was disclosed to. */
  readonly recipients: Pick<Recipients, 'of'>;
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
