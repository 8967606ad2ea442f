import { createHash } from 'node:crypto';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import type { Random } from '../../platform/random.ts';
import type { PreparedVault, Vault, Verification } from '../identity/index.ts';
import { watchedDates } from './clock-of-request.ts';
import { newReference } from './domain/reference.ts';
import { dueReminders } from './domain/reminders.ts';
import { requestAdvance } from './jobs.ts';
import type { LawClocks } from './law-clocks.ts';
import type { IncomingRequest, Opened } from './requests.ts';
import type { Say } from './say.ts';
import { findBySource, insertRequest, outsideId, summarise } from './store.ts';
import type { RequestTables } from './tables.ts';

/** What opening a request needs. */
export interface OpenRequestDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly jobs: Pick<Jobs, 'send'>;
  readonly vault: Pick<Vault, 'create'>;
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
  readonly startVerification: Verification['start'];
  /** Called when all is written and nothing is committed yet; tests kill the process there. */
  readonly beforeCommit: () => void;
  readonly clocks: LawClocks;
  readonly notify: Say;
  /** A person who never proves who they are: after this the request expires. */
  readonly unverifiedDays: number;
}

/** Stores an incoming request with its vault, its first audit entry and its first job, all in the caller's transaction. */
export type OpenRequest = (tx: Tx, incoming: IncomingRequest, prepared: PreparedVault) => Promise<Opened>;

const dayMs = 86_400_000;

/**
 * Makes the use case. A source that sends the same id again gets the request that it opened the first time, unless the payload is another:
 * then it fails with `IDEMPOTENCY_KEY_REUSED`.
 */
export function createOpenRequest(deps: OpenRequestDeps): OpenRequest {
  return async (tx, incoming, prepared) => {
    const trx = tablesOf<RequestTables>(tx);
    const now = deps.clock.now();
    const sourceId = createHash('sha256').update(incoming.sourceId, 'utf8').digest();
    const { verification: method } = incoming;
    const isVerified = method === 'source';
    const status = isVerified ? 'verified' : 'verifying';
    const chosen = deps.clocks.choose({ right: incoming.right, jurisdiction: incoming.jurisdiction, facts: { receivedAt: now, verifiedAt: isVerified ? now : undefined, now } });
    const { law } = chosen.pack;
    const unwatched = {
      id: prepared.requestId,
      reference: newReference(deps.random),
      source: incoming.source,
      source_id: sourceId,
      payload_hash: incoming.payloadHash,
      request_right: incoming.right,
      jurisdiction: incoming.jurisdiction ?? null,
      law,
      status,
      verdict: null,
      reason_code: null,
      duplicate_of: null,
      erased_under: null,
      vouched: isVerified || method === 'proof',
      moved_at: new Date(now),
      received_at: new Date(now),
      due_at: new Date(chosen.due.at),
      verified_at: isVerified ? new Date(now) : null,
      verified_by: isVerified ? 'source' : null,
      planned_at: null,
      closed_at: null,
      wake_at: new Date(isVerified ? now : now + deps.unverifiedDays * dayMs),
      language: incoming.language ?? null,
      law_version: chosen.pack.version,
      extended_at: null,
      extension_reason: null,
      extended_until: null,
      clock_wake_at: null,
      systems: incoming.systems === undefined ? null : [...incoming.systems],
    } as const;
    const fresh = { attempt: 0, version: 1 };
    const { nextAt } = dueReminders(watchedDates(deps.clocks, { request: { ...unwatched, ...fresh }, pauses: [], appeal: undefined, acknowledgedAt: undefined }, now), now);
    const row = { ...unwatched, clock_wake_at: nextAt === undefined ? null : new Date(nextAt) };
    if (!(await insertRequest(trx, row))) {
      const before = await findBySource(trx, incoming.source, sourceId);
      if (before === undefined) throw new Error('A request conflicted with one that cannot be read');
      if (!Buffer.from(before.payload_hash).equals(incoming.payloadHash)) {
        throw new Failure('IDEMPOTENCY_KEY_REUSED', 'This id was sent before with another body; send a new id with a new request');
      }
      return { created: false, request: summarise(before) };
    }
    await deps.vault.create(tx, prepared, incoming.identifiers, incoming.corrections);
    const at = isoTime(now);
    const about = { request_id: outsideId(row.id), right: row.request_right, law } as const;
    await deps.record(tx, { type: 'request.received', at, actor: { role: 'source', id: incoming.source }, ...about, to: status });
    if (isVerified) {
      await deps.record(tx, { type: 'request.verified', at, actor: { role: 'source', id: incoming.source }, ...about, verification_method: 'source' });
      // Who is to be sent a code learns from it that the request came in; nothing else goes to an address that is not proven. Of a request that one system makes of some others the person knows nothing.
      if (row.systems === null) await deps.notify(tx, { requestId: row.id, template: 'receipt', recipient: 'subject', occasion: 'receipt' });
      await deps.jobs.send(tx, requestAdvance, { request_id: row.id });
    } else {
      const given = { source: incoming.source, method, ...(incoming.proof === undefined ? {} : { proof: incoming.proof }) };
      await deps.startVerification(tx, prepared, given);
    }
    deps.beforeCommit();
    return { created: true, request: summarise({ ...row, ...fresh }) };
  };
}
