import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { Holds } from '../../contract/holds.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { IdentifierId, RequestId, TaskId } from '../../contract/ids.ts';
import type { Clock } from '../../platform/clock.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import type { Log } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import type { OpenVault, Vault } from '../identity/index.ts';
import type { Delivery } from './delivery.ts';
import type { PackageFacts } from './domain/export-document.ts';
import type { NewPage, PagesFrom } from './pages.ts';
import type { ExportStorage } from './storage/export-storage.ts';
import type { EndedWhy, PackageFinding, PackageState } from './tables.ts';

/** What a package says of its request, from the modules that know it. */
export interface RequestFactsForPackage extends Pick<PackageFacts, 'requestId' | 'reference' | 'right' | 'law' | 'jurisdiction' | 'receivedAt' | 'notSearched' | 'erasedUnder'> {
  /** The tasks that ended as `exported`: only what they gave is handed out. */
  readonly exportedTasks: readonly TaskId[];
  /** Whose tasks those are. */
  readonly exportedIdentifiers: readonly IdentifierId[];
}

/** What exports are made of. */
export interface ExportsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly jobs: Pick<Jobs, 'send' | 'poke'>;
  readonly vault: Pick<Vault, 'unlock'>;
  readonly systemKeys: Pick<SystemKeys, 'mac'>;
  readonly storage: ExportStorage;
  readonly encryption: 'age' | 'storage';
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
  /** What each connection holds, by its name, and how it is called for people. */
  readonly systems: Readonly<Record<string, { readonly title: string; readonly holds: Holds }>>;
  readonly controller: PackageFacts['controller'];
  readonly complaint: string | undefined;
  readonly automatedDecisions: string | undefined;
  readonly describeRequest: (requestId: RequestId) => Promise<RequestFactsForPackage>;
  /** Hears that a package is whole, or could not be made, in the transaction that says so. */
  readonly onMade: (tx: Tx, requestId: RequestId, state: 'ready' | 'failed') => Promise<void>;
  /** Has the n-th code of a request's link sent to the address that is proven. */
  readonly sendCode: (tx: Tx, requestId: RequestId, number: number) => Promise<void>;
  /** Hears that a package was handed out whole: to an operator, or to the person (null), in a transaction of its own. */
  readonly onDelivered: (tx: Tx, requestId: RequestId, operator: string | null) => Promise<void>;
  /** Hears that the storage goes on refusing to delete what has to go. */
  readonly onDeletionRefused: (tx: Tx, requestId: RequestId) => Promise<void>;
  readonly codeMinutes: number;
  readonly codeAttempts: number;
  /** Where people reach this server, without a slash at the end. */
  readonly publicUrl: () => string;
}

/** What an operator sees of a package. Nothing of the person. */
export interface PackageStatus {
  readonly state: PackageState;
  readonly ended_why: EndedWhy | null;
  readonly error_code: string | null;
  readonly encryption: 'age' | 'storage' | null;
  readonly bytes: number | null;
  readonly records: number | null;
  readonly categories: Readonly<Record<string, number>>;
  readonly left_out: number;
  readonly findings: readonly PackageFinding[];
  /** Copies that the person was given in the twelve months before; over 0 the copy is a repetition (Art. 12(5), 15(3) GDPR). */
  readonly copies_before: number | null;
  readonly expires_at: string | null;
  readonly downloads: number;
  readonly downloaded_at: string | null;
}

/** Keeps what systems give of a person, makes the package of it, and hands that out. */
export interface Exports {
  /** Keeps a page durably; one that comes again takes the place of the first. Answers false, and keeps nothing, where a worker of a higher epoch has the task. Fails with `UNSUPPORTED` when it is over 8 MiB, and as the storage does. */
  readonly addPage: (vault: OpenVault, page: NewPage) => Promise<boolean>;
  /** Drops a task's pages from this one on; answers false, and drops none, where a worker of a higher epoch has the task. */
  readonly dropPages: (pages: PagesFrom) => Promise<boolean>;
  /** Has the package made in the background, unless it is being made or is there. Fails with `CONFLICT` where an operator revoked it: that is for good. */
  readonly make: (tx: Tx, requestId: RequestId) => Promise<void>;
  /** Where that stands, and since when. What was made before further pages came, or has ended otherwise than by an operator, counts as none. */
  readonly stateOf: (tx: Tx, requestId: RequestId) => Promise<{ readonly state: 'none' | 'making' | 'ready' | 'failed' | 'revoked'; readonly at: Date }>;
  /** Until when a package can be fetched, milliseconds since the epoch; undefined where there is none that can. */
  readonly expiresAt: (requestId: RequestId) => Promise<number | undefined>;
  /** Makes a package now: the handler of `exportMake`. Does nothing where somebody else is at it. */
  readonly runMaking: (requestId: RequestId, signal: AbortSignal) => Promise<void>;
  /** Looks for what is due: the handler of `exportSweep`. */
  readonly sweep: () => Promise<void>;
  /** Takes up what a process that died was at. Only for a server that is alone on its database. */
  readonly recover: () => Promise<void>;
  /** Ends a package and has it and its pages deleted, in the transaction that shreds the request. */
  readonly discard: (tx: Tx, requestId: RequestId) => Promise<void>;
  /** Ends a package by an operator's word. Fails with `NOT_FOUND` where there is none. */
  readonly revoke: (requestId: RequestId, operator: string) => Promise<void>;
  readonly statusOf: (requestId: RequestId) => Promise<PackageStatus | undefined>;
  /** How many copies people with any of these identifiers were given in the last twelve months. */
  readonly copiesBefore: (identifiers: readonly Identifier[]) => Promise<number>;
  readonly delivery: Delivery;
}

