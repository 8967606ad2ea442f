import { randomBytes } from 'node:crypto';
import { formatId, parseId, type RequestId } from '../../contract/ids.ts';
import type { Confirmation, Counts, Outcome, RequestStatus, Residue, Verdict } from '../../contract/outcomes.ts';
import type { Clock } from '../../platform/clock.ts';
import type { ProfilesConfig } from '../../platform/config/intake-events.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { oneAtATime } from '../../platform/db/one-at-a-time.ts';
import { Failure } from '../../platform/failure.ts';
import { newId } from '../../platform/ids.ts';
import { normalise, type NormalForm, type PreparedVault, type Vault } from '../identity/index.ts';
import { endedStatuses, findRequest, type OpenRequest, type RequestCore, type RequestTables } from '../requests/index.ts';
import type { ProfileOrder } from './domain/profile-order.ts';
import { findProfileJob, forgetProfileJobs, keepProfileJob, profileJobsAfter } from './profiles-store.ts';
import { findMessage, keepAnswer, takeMessage, type MessageKey } from './store.ts';
import type { IntakeTables } from './tables.ts';

/** One thing that one system was asked to do, and what came of it. Nothing of the person. */
export interface ProfileStep {
  readonly system: string;
  readonly action: string;
  readonly outcome: Outcome | null;
  readonly confirmation: Confirmation | null;
  readonly counts: Counts;
  readonly residue: readonly Residue[];
}

/** How far the systems of a request have come. */
export interface ProfileProgress {
  readonly steps: readonly ProfileStep[];
  /** Of these systems alone, once all of them are done. */
  readonly verdict: Verdict | null;
}

/** What taking orders of event buses about profiles needs. */
export interface ProfilesDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly systemKeys: Pick<SystemKeys, 'mac'>;
  readonly vault: Pick<Vault, 'prepare'>;
  readonly openRequest: OpenRequest;
  /** How far the systems that a request is limited to have come. */
  readonly progressOf: (requestId: RequestId) => Promise<ProfileProgress>;
  /** ISO 3166. */
  readonly defaultCountry: string;
}

/** Where a job stands. `done`: all of its systems were seen to; `partly_done`: at least one was not. */
export const profileJobStatuses = ['accepted', 'running', 'needs_person', 'done', 'partly_done', 'cancelled'] as const;
/** Where a job stands. */
export type ProfileJobStatus = (typeof profileJobStatuses)[number];

/** A job as it was taken. */
export interface ProfileJob {
  readonly id: string;
  readonly status: ProfileJobStatus;
  /** False where the same was ordered before. */
  readonly isNew: boolean;
}

/** Anonymises people for event buses, in the systems of the configuration. */
export interface Profiles {
  /** Takes an order. Fails with `IDENTIFIER_INVALID`, and with `IDEMPOTENCY_KEY_REUSED` where an event's id comes with another profile. */
  readonly take: (order: ProfileOrder) => Promise<ProfileJob>;
  /** How far a job has come. Fails with `NOT_FOUND`, also for a request that came another way. */
  readonly job: (id: string) => Promise<Omit<ProfileJob, 'isNew'> & ProfileProgress>;
  /** Forgets which profiles the jobs were about that ended so long ago that the same order is a new one. */
  readonly forget: () => Promise<void>;
}

/** The name of the source, in the log and the request. No source of the configuration can have it. */
const source = 'destination:profiles';

/**
 * For how long after its end an order that comes again gets the same job. What the end of a job sets off is such an order, where a rule matches too much: EventBridge tries a delivery
 * for 24 hours, so that each end is answered by the job that it ended, and nothing goes round. A day more, for clocks and stops of this server.
 */
const heldMs = 48 * 3_600_000;
/** Requests looked at together when the ended ones are forgotten. */
const forgetPage = 500;

const statusOf: Readonly<Record<Exclude<RequestStatus, 'closed'>, ProfileJobStatus>> = {
  received: 'accepted',
  verifying: 'accepted',
  verified: 'accepted',
  resolving: 'accepted',
  planned: 'accepted',
  awaiting_approval: 'needs_person',
  executing: 'running',
  confirming: 'running',
  escalated: 'needs_person',
  rejected: 'cancelled',
  withdrawn: 'cancelled',
  expired: 'cancelled',
};

function jobStatus(status: RequestStatus, verdict: Verdict | null): ProfileJobStatus {
  if (status !== 'closed') return statusOf[status];
  return verdict === null || verdict === 'partially_fulfilled' || verdict === 'refused' ? 'partly_done' : 'done';
}

interface Keys {
  readonly subject: Buffer;
  readonly event: MessageKey | undefined;
  readonly payloadHash: Buffer;
}

interface Taken {
  readonly requestId: RequestId;
  readonly isNew: boolean;
}

/**
 * Makes the use case. An order is known again by its event's id, for thirty days; and by its profile, while its job is open and for two days after. Then it gets the same job. What was
 * refused or taken back is not held against a new order. The request that is opened erases in the named systems only, and says so: who is forgotten there may come back elsewhere, so
 * nobody enters the suppression ledger by it.
 */
export function createProfiles(config: ProfilesConfig, deps: ProfilesDeps): Profiles {
  const mac = (text: string): Buffer => deps.systemKeys.mac('lookup', text);

  const isHeld = (request: RequestCore): boolean =>
    !endedStatuses.includes(request.status) || (request.status === 'closed' && deps.clock.now() - (request.closed_at?.getTime() ?? 0) < heldMs);

  const jobOf = async (requestId: RequestId): Promise<Omit<ProfileJob, 'isNew'> & ProfileProgress> => {
    const request = await findRequest(deps.database.read<RequestTables>(), requestId);
    if (request === undefined || request.source !== source) throw new Failure('NOT_FOUND', 'There is no such job');
    const progress = await deps.progressOf(requestId);
    return { id: formatId('request', requestId), status: jobStatus(request.status, progress.verdict), ...progress };
  };

  /** The job that an event led to before. */
  const seenBefore = async (db: Parameters<typeof findMessage>[0], { event, payloadHash }: Keys): Promise<Taken | undefined> => {
    const seen = event === undefined ? undefined : await findMessage(db, event);
    if (seen === undefined) return undefined;
    if (!seen.payloadHash.equals(payloadHash)) throw new Failure('IDEMPOTENCY_KEY_REUSED', 'This id of an event was sent before with another profile');
    const requestId = parseId('request', (seen.answer as { readonly job_id: string }).job_id);
    if (requestId === undefined) throw new Error('The answer to an event names no job');
    return { requestId, isNew: false };
  };

  const held = async (tx: Tx, subject: Buffer): Promise<RequestId | undefined> => {
    const id = await findProfileJob(tablesOf<IntakeTables>(tx), subject);
    const request = id === undefined ? undefined : await findRequest(tablesOf<RequestTables>(tx), id);
    return request !== undefined && isHeld(request) ? request.id : undefined;
  };

  const open = async (tx: Tx, order: Parameters<OpenRequest>[1]['identifiers'], prepared: PreparedVault): Promise<RequestId> => {
    const once = randomBytes(32);
    const incoming = { source, sourceId: once.toString('hex'), payloadHash: once, right: 'erasure', jurisdiction: config.jurisdiction, identifiers: order, verification: 'source', systems: config.systems } as const;
    return (await deps.openRequest(tx, incoming, prepared)).request.id;
  };

  const takeNew = async ({ subject, event, payloadHash }: Keys, form: NormalForm): Promise<Taken> => {
    const prepared = await deps.vault.prepare(newId('request'));
    return deps.database.transaction(async (tx) => {
      const trx = tablesOf<IntakeTables>(tx);
      // Two orders about one profile come one after the other; two of one event wait for each other at its row.
      await oneAtATime(trx, `profile:${subject.toString('hex')}`);
      if (event !== undefined && !(await takeMessage(trx, event, payloadHash, new Date(deps.clock.now())))) {
        const before = await seenBefore(trx, { subject, event, payloadHash });
        if (before === undefined) throw new Error('An event conflicted with one that cannot be read');
        return before;
      }
      const before = await held(tx, subject);
      const requestId = before ?? (await open(tx, [{ kind: config.identifier, ...form, foundBy: 'given', confidence: 1 }], prepared));
      if (before === undefined) await keepProfileJob(trx, subject, requestId);
      if (event !== undefined) await keepAnswer(trx, [event], { job_id: formatId('request', requestId) });
      return { requestId, isNew: before === undefined };
    });
  };

  return {
    take: async (order) => {
      const form = normalise(config.identifier, order.profileId, { defaultCountry: deps.defaultCountry, field: '/profile_id' });
      const about = `${order.action}:${config.identifier}:${form.value}`;
      const event = order.eventId === undefined ? undefined : { source, messageId: mac(`message:${source}:${order.eventId}`) };
      const keys: Keys = { subject: mac(`profile:${about}`), event, payloadHash: mac(`payload:${about}`) };
      const taken = (await seenBefore(deps.database.read<IntakeTables>(), keys)) ?? (await takeNew(keys, form));
      const { id, status } = await jobOf(taken.requestId);
      return { id, status, isNew: taken.isNew };
    },
    job: async (id) => {
      const requestId = parseId('request', id);
      if (requestId === undefined) throw new Failure('NOT_FOUND', 'There is no such job');
      return jobOf(requestId);
    },
    forget: async () => {
      const db = deps.database.read<IntakeTables>();
      for (let after: RequestId | undefined; ; ) {
        const page = await profileJobsAfter(db, after, forgetPage);
        const over: RequestId[] = [];
        for (const id of page) {
          const request = await findRequest(deps.database.read<RequestTables>(), id);
          if (request === undefined || !isHeld(request)) over.push(id);
        }
        await forgetProfileJobs(db, over);
        if (page.length < forgetPage) return;
        after = page.at(-1);
      }
    },
  };
}
