import type { z } from 'zod';
import type { Identifier, IdentifierKind } from '../contract/identifiers.ts';
import type { ErrorCode } from '../contract/errors.ts';
import type { Counts, Residue } from '../contract/outcomes.ts';

/** A value that JSON can hold; what a connector keeps between steps. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** One of the person's objects at a vendor, collected before anything is deleted. */
export interface WorkItem {
  /** The vendor's object type: `message`, `recording`. */
  readonly type: string;
  /** What the connector needs to delete it, for example the path after the account or the id. At most 500 characters. */
  readonly ref: string;
}

/** A collected object and its place in the list. */
export interface StoredWorkItem extends WorkItem {
  readonly ordinal: number;
}

/**
 * The durable list of objects that a long erasure collects first and then deletes, kept encrypted and outliving the process.
 * `add` is idempotent by type and ref. Items come back from `take` in the order in which they were added.
 */
export interface Worklist {
  readonly add: (items: readonly WorkItem[]) => Promise<void>;
  /** The next unsettled items, at most `limit`; items deferred by `defer` are left out until their time. */
  readonly take: (limit: number) => Promise<readonly StoredWorkItem[]>;
  /** Marks items as gone. Call it after each page of deletions: what was settled is never deleted again. */
  readonly settle: (ordinals: readonly number[], how: 'deleted' | 'absent') => Promise<void>;
  /** Puts an item off: the vendor will not delete it yet. */
  readonly defer: (ordinal: number, afterMs: number) => Promise<void>;
  /** How many there are by type and state, and when the next deferred one is due. */
  readonly summary: () => Promise<{ readonly open: number; readonly deferred: number; readonly deleted: Counts; readonly absent: Counts; readonly nextDueMs?: number }>;
}

/** What a connector is given for every call of its functions. It has no other way to the outside. */
export interface ConnectorContext {
  /**
   * `fetch` with the connection's guard: hosts outside the egress list are refused (`EGRESS_FORBIDDEN`), redirects are never followed
   * (they are answered as they are), a body is at most 8 MiB, a time-out is a `Failure` `VENDOR_TIMEOUT`, and each call takes a place in the
   * connection's rate limit, which is held across processes: it waits its turn for a moment, and where that would be long it throws
   * `VENDOR_RATE_LIMITED` with `retryAfterMs`.
   */
  readonly fetch: typeof globalThis.fetch;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** True when this step has used its time: return `continue` with a cursor soon (a step has about 20 s). */
  readonly shouldYield: () => boolean;
  readonly signal: AbortSignal;
}

/** What a system may be told of the privacy request: nothing of the person. */
export interface RequestFacts {
  /** `req_…`. */
  readonly id: string;
  /** The name of the source, or of the API key, that it came by. */
  readonly source: string;
  /** The law whose clock runs: `gdpr`. */
  readonly law: string;
  /** ISO 3166, where it was given. */
  readonly jurisdiction?: string;
  /** How it was verified who asks: `source`, `email_code`, `sms_code`, `proof`, `operator`. */
  readonly verifiedBy: string;
}

/** A vendor's job that an earlier task of the same request started: `{connection: 'genesys', job: '7c1f…'}`. */
export interface EarlierJob {
  readonly connection: string;
  readonly job: string;
}

/** What an erasing step is given besides. */
export interface EraseContext extends ConnectorContext {
  readonly request: RequestFacts;
  /** `task_…`. */
  readonly taskId: string;
  /** The vendors' jobs of the tasks that came before this one, in the order of the plan. */
  readonly earlierJobs: readonly EarlierJob[];
  readonly identifier: Identifier;
  /** Every identifier of the person that resolution found, this one included. */
  readonly identifiers: readonly Identifier[];
  /** Those among them of which it is sure that they are the person's: the others may be somebody else's. */
  readonly proven: readonly Identifier[];
  /** What the plan decided. */
  readonly action: 'erase' | 'anonymise';
  /** True when resolution saw this identifier in this very system. */
  readonly seenHere: boolean;
  /** 1 for the first attempt of this step. Over 1 an earlier attempt may have reached the vendor, whatever was heard of it. */
  readonly attempt: number;
  /** When the request was received, milliseconds since the epoch. */
  readonly receivedAt: number;
  /** What the last step kept; null at the first. */
  readonly cursor: Json;
  /** On a person's retry, the cursor with which the task went to that person; null otherwise. `cursor` starts at null again then. */
  readonly previous: Json;
  /** Makes the cursor durable in the middle of a step, for instance right after a vendor job was created. */
  readonly save: (cursor: Json) => Promise<void>;
  readonly worklist: Worklist;
  /** A key for the vendor's `Idempotency-Key`: the same for the same task, part and generation, whatever dies in between (64 hex digits). */
  readonly idempotencyKey: (part: string, generation?: number) => string;
}

/** What a step of an erasure came to. Exactly what was observed, nothing better. */
export type EraseResult =
  /** More to do right away; `done` and `total` feed the progress shown. */
  | { readonly state: 'continue'; readonly cursor: Json; readonly done?: number; readonly total?: number }
  /** The vendor works on it, or wants it later: come back after `afterMs`. `vendorJob` is the vendor's id of the work, if any. */
  | { readonly state: 'wait'; readonly cursor: Json; readonly afterMs: number; readonly reason: WaitReason; readonly vendorJob?: string }
  /** All done that can be done. `cursor` is kept for the confirmation. */
  | {
      readonly state: 'done';
      readonly outcome: 'erased' | 'anonymised' | 'corrected' | 'exported' | 'already_absent' | 'nothing_matched' | 'retained' | 'refreshed';
      readonly counts: Counts;
      readonly residue: readonly Residue[];
      /** What was observed on the way that cannot be observed afterwards, as codes: `{mark_read_back: true}`. No identifiers. */
      readonly proof?: { readonly [key: string]: string | number | boolean };
      readonly vendorJob?: string;
      readonly cursor?: Json;
      /** A time at which something that stays now can be erased after all: the task comes back then. Milliseconds since the epoch. */
      readonly revisitAt?: number;
    }
  /** Only a person can go on: the code says why, the counts what was done so far. */
  | { readonly state: 'operator'; readonly code: ErrorCode; readonly detail: string; readonly counts: Counts; readonly residue: readonly Residue[]; readonly cursor?: Json };

/** Why a vendor makes us wait. */
export type WaitReason = 'vendor_job' | 'not_final_yet' | 'not_visible_yet' | 'too_young' | 'rate_limited';

/** What a read-back saw. */
export type ConfirmResult =
  /** Looked for by every identifier, and gone. */
  | { readonly state: 'absent' }
  /** Still there: `found` are the identifiers under which it is; one that is not known yet reopens the plan. */
  | { readonly state: 'present'; readonly found: readonly Identifier[] }
  /** The vendor's API cannot show it; its word is all there is. */
  | { readonly state: 'attested' }
  /** Deletion is not visible yet: look again after `afterMs`. */
  | { readonly state: 'later'; readonly afterMs: number };

/** An identifier that a look-up found, and by which known one. */
export interface Located {
  readonly identifier: Identifier;
  /** The known identifier that led to it. */
  readonly via: Identifier;
  /** 0 to 1: 1 when the vendor itself ties both to one person. */
  readonly confidence: number;
}

/** What a look-up answered: what it found, and which of the given identifiers this system knows. */
export interface LocateResult {
  readonly found: readonly Located[];
  readonly knows: readonly Identifier[];
}

/** What a connector can do, as data, so that plans and pages can be made without calling it. */
export interface Capabilities {
  /** Kinds by which this system's data is erased. */
  readonly erases: readonly IdentifierKind[];
  /** Kinds by which this system can be searched for a person. */
  readonly locates: readonly IdentifierKind[];
  readonly actions: readonly ('erase' | 'anonymise')[];
  /** Kinds by which it gives what it holds; those by which it erases when absent. */
  readonly exports?: readonly IdentifierKind[];
  /** True where one export gives everything of the person, by whichever of their identifiers it is asked: it is asked once. */
  readonly exportsWhole?: boolean;
  /** True when its erasure removes what other systems' look-ups depend on: erased after all others. */
  readonly isIdentityMap: boolean;
  /** True where the vendor wants one identifier after the other: each task then waits for the one before it. */
  readonly isSequential?: boolean;
  /** Set where aggregates are derived from what is erased and have to be refreshed afterwards: what that takes, in milliseconds. */
  readonly refreshMs?: { readonly typical: number; readonly worst: number };
  /** What an erasure there takes, in milliseconds, for the latest safe start: typical and worst. */
  readonly latencyMs: { readonly typical: number; readonly worst: number };
  /** Method in the words of NIST SP 800-88 Rev. 2, for the certificate. */
  readonly sanitization: 'clear' | 'purge' | 'destroy';
  /** Defaults for the connection's limits. */
  readonly limits: { readonly concurrency: number; readonly callsPerSecond: number; readonly burst: number };
}

/** One record of a person as the vendor gives it, in the vendor's own shape. Personal data: it must only be held sealed. */
export interface ExportedRecord {
  /** The vendor's object type: `profile`, `observation`. */
  readonly type: string;
  readonly data: unknown;
}

/** What a page of an export holds, in the order in which the system gives it. At most 8 MiB of JSON. */
export interface ExportPage {
  readonly records: readonly ExportedRecord[];
  /** From where an export that ends after this page, on purpose or by a crash, goes on; absent where the system cannot be taken up there. */
  readonly resume?: Json;
  /**
   * Set where the system makes the copy by itself and wants to be asked for it later: the export ends after this page, and goes on from `resume` after
   * `afterMs`. With 0 it is only kept, before something that must not be forgotten is done.
   */
  readonly wait?: { readonly resume: Json; readonly afterMs: number; readonly reason: WaitReason; readonly vendorJob?: string };
}

/** What an export is given besides. */
export interface ExportContext extends ConnectorContext {
  readonly request: RequestFacts;
  readonly identifier: Identifier;
  /** Every identifier of the person that resolution found, this one included. */
  readonly identifiers: readonly Identifier[];
  readonly proven: readonly Identifier[];
  /** The `resume` of the last page that was kept; null at the start. */
  readonly cursor: Json;
}

/** Something of the person that is to be put right, by a name that the controller and its systems agree on: `email`, `name`. Personal data. */
export interface Correction {
  readonly field: string;
  /** What was there, where the person said so: a system that has something else already is left as it is. */
  readonly from?: string;
  readonly to: string;
}

/** What a correcting step is given besides; its identifiers are those before the correction. */
export interface RectifyContext extends Omit<EraseContext, 'action'> {
  readonly corrections: readonly Correction[];
}

/** What a read-back of a correction saw. */
export type RectifyConfirmation =
  | { readonly state: 'as_asked' }
  /** Something else is there still; `fields` are the names of the corrections, never values. */
  | { readonly state: 'otherwise'; readonly fields: readonly string[] }
  | { readonly state: 'attested' }
  | { readonly state: 'later'; readonly afterMs: number };

/** A vendor's callback as it came in. Written by anybody until its signature is checked. */
export interface Callback {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The exact bytes, which the signature is over. */
  readonly body: Buffer;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What a vendor says of one of its jobs. `unknown`: it knows no such job, or not any more. */
export type JobState = 'running' | 'finished' | 'failed' | 'unknown';

/** How a system behaved in one respect, when it was put to the test with people who do not exist. */
export interface Rehearsal {
  /** What was tested, as a code: `unknown_person`. */
  readonly check: string;
  /** `open`: it could not be seen from here. */
  readonly result: 'kept' | 'violated' | 'open';
  /** What was seen, in a sentence; nothing that the system wrote. */
  readonly detail: string;
}

/** What a connection's calls need of the network beyond the egress list. */
export interface NetworkRules {
  /** True to call no private, loopback, link-local or otherwise internal address, whatever a name resolves to. */
  readonly refusesPrivate: boolean;
  /** Mutual TLS: PEM texts. `ca` signs the server's certificate, where that is not a public authority. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
}

/** A connector bound to one configured connection. */
export interface Connection {
  /** Sees that the credentials work, with the cheapest harmless call. Throws `CONNECTION_AUTH` and the other vendor failures. */
  readonly check: (context: ConnectorContext) => Promise<void>;
  readonly locate: (context: ConnectorContext, known: readonly Identifier[]) => Promise<LocateResult>;
  readonly erase: (context: EraseContext) => Promise<EraseResult>;
  /** Reads back. Called after `erase` said done; never changes anything at the vendor. */
  readonly confirm: (context: EraseContext) => Promise<ConfirmResult>;
  /**
   * Gives what the system holds under an identifier, page by page from the cursor on; nothing where it holds nothing. Reads only. Absent where the
   * connector cannot export. Fails with `SUBJECT_AMBIGUOUS` where what it would read may be somebody else's.
   */
  readonly export?: (context: ExportContext) => AsyncIterable<ExportPage>;
  /** Says what an erasure would do, by doing it and taking it back, or by looking; changes nothing. Absent where the system cannot tell. */
  readonly dryRun?: (context: EraseContext) => Promise<{ readonly counts: Counts; readonly residue: readonly Residue[] }>;
  /** Corrects what the system holds under an identifier. Ends as `done` with `corrected` or `nothing_matched`. Absent where the connector cannot correct. */
  readonly rectify?: (context: RectifyContext) => Promise<EraseResult>;
  /** Reads a correction back. Present exactly where `rectify` is; never changes anything. */
  readonly confirmRectified?: (context: RectifyContext) => Promise<RectifyConfirmation>;
  /**
   * Has the aggregates refreshed that were derived from what was erased; called after every erasing task of the connection. Ends as `done` with
   * the outcome `refreshed`. Present exactly where the capabilities have `refreshMs`.
   */
  readonly refresh?: (context: EraseContext) => Promise<EraseResult>;
  /**
   * Checks a callback's signature and says which of the vendor's jobs it is about. It proves nothing else: the tasks of those jobs then ask the
   * vendor, so that what comes late, twice or out of order changes nothing. Fails with `SIGNATURE_INVALID`, `SIGNATURE_STALE` or `BODY_MALFORMED`.
   * Absent where the vendor calls nobody back.
   */
  readonly readCallback?: (callback: Callback) => { readonly jobs: readonly string[] };
  /** Asks for the state of one of the vendor's jobs, for the reconciliation. Reads only. Absent where the vendor has no jobs. */
  readonly jobState?: (context: ConnectorContext, job: string) => Promise<JobState>;
  /**
   * Puts the system to the test with people who do not exist: whether it keeps what it was declared to do. Takes up to about a minute. Absent where the
   * vendor is known and the conformance suite has tested the connector already.
   */
  readonly rehearse?: (context: ConnectorContext) => Promise<readonly Rehearsal[]>;
}

/** A vendor's connector: its configuration's schema, its capabilities, and how to bind it to a configured connection. */
export interface Connector<Config = unknown> {
  /** The vendor folder's name. */
  readonly name: string;
  readonly title: string;
  readonly config: z.ZodType<Config>;
  /** True where a permission that is missing would only show as silence later: its connections are checked when a worker starts. */
  readonly checksAtStart?: true;
  readonly capabilities: (config: Config) => Capabilities;
  /** The only origins (`https://api.stripe.com`) that this connection may call. */
  readonly egress: (config: Config) => readonly string[];
  /** What else holds for its calls; nothing where absent. */
  readonly network?: (config: Config) => NetworkRules;
  /** What of a configuration is allowed and leaves data behind, as sentences for its author: a scope that is left out. None where absent. */
  readonly findings?: (config: Config) => readonly string[];
  readonly connect: (config: Config) => Connection;
}
