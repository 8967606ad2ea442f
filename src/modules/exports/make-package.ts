import { formatId, type IdentifierId, type RequestId, type TaskId } from '../../contract/ids.ts';
import { isoTime } from '../../platform/clock.ts';
import { backoffMs } from '../../platform/backoff.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import type { OpenVault, VaultIdentifier } from '../identity/index.ts';
import { encryptFor, makePackageKey, type PackageKey } from './age-stream.ts';
import { copyHashes, yearMs } from './copies.ts';
import type { ExportsDeps } from './exports.ts';
import { exportMake } from './jobs.ts';
import { linkToken, tokenHash } from './link-token.ts';
import { newObjectName, unkeptMs, type Pages } from './pages.ts';
import * as store from './store.ts';
import type { ExportTables, PackageSummary } from './tables.ts';
import { writePackage } from './write-package.ts';

/** How long a package can be fetched: issued with the link, and enforced by the sweep. */
export const packageDays = 30;
const dayMs = 86_400_000;
/** A making whose process died is taken up by another one after this. */
const leaseMs = 60_000;
const renewMs = 15_000;
/** When the sweep looks whether somebody is at it: after the lease of one that was, at the latest. */
const lookMs = 2 * leaseMs;
/** Tries of a making that fails by what may pass; then a person is asked. */
const attemptsMax = 6;

/** The context that the secret of a package's key is sealed in. */
export const identityContext = (requestId: RequestId): string => `export_identity:${requestId}`;

interface Made {
  readonly objectName: string;
  readonly bytes: number;
  readonly records: number;
  readonly summary: PackageSummary;
  readonly key: PackageKey | undefined;
  readonly copiesBefore: number;
  /** Whose copy it is. */
  readonly identifiers: readonly VaultIdentifier[];
  readonly tasks: readonly TaskId[];
}

/** Where an identifier is from that the person gave, or was signed in with. */
const givenBy: readonly string[] = ['given', 'account'];

/**
 * The identifiers that are the person's for certain: what is in doubt may be another's, who shares a telephone with them, and must neither be read in the
 * package nor count a copy. One that they gave themselves is no longer in doubt where its own data is in the package.
 */
function certainOf(vault: OpenVault, exported: readonly IdentifierId[]): readonly VaultIdentifier[] {
  const inPackage = new Set(exported);
  return vault.identifiers.filter(({ id, foundBy, confidence }) => confidence >= 1 || (givenBy.includes(foundBy) && inPackage.has(id)));
}

/** Makes packages. */
export interface PackageMaker {
  readonly make: (tx: Tx, requestId: RequestId) => Promise<void>;
  readonly run: (requestId: RequestId, signal: AbortSignal) => Promise<void>;
}

/** Holds a making while `work` does it, whose signal is aborted as soon as another one has taken it. */
async function holding<Result>(deps: ExportsDeps, row: store.PackageRow, signal: AbortSignal, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const lost = new AbortController();
  const renewing = setInterval(() => {
    store.renewMaking(deps.database.read<ExportTables>(), row.request_id, row.epoch, leaseMs).then(
      (held) => (held ? undefined : lost.abort(new Error('Another process makes this package now'))),
      (error: unknown) => deps.log.warn({ request_id: row.request_id, err: error }, 'the making of a package could not be held'),
    );
  }, renewMs);
  try {
    return await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    clearInterval(renewing);
  }
}

/** Makes the maker. */
export function createPackageMaker(deps: ExportsDeps, pages: Pages): PackageMaker {
  const { database, storage } = deps;
  const db = database.read<ExportTables>();
  const now = (): Date => new Date(deps.clock.now());
  const holds = Object.fromEntries(Object.entries(deps.systems).map(([name, system]) => [name, system.holds]));

  const compile = async (row: store.PackageRow, vault: OpenVault, signal: AbortSignal): Promise<Made> => {
    const { request_id: requestId } = row;
    const { exportedTasks: tasks, exportedIdentifiers, ...request } = await deps.describeRequest(requestId);
    const identifiers = certainOf(vault, exportedIdentifiers);
    const copiesBefore = row.copies_before ?? (await store.copiesSince(db, copyHashes(deps.systemKeys, identifiers), new Date(deps.clock.now() - yearMs)));
    const facts = {
      ...request,
      generatedAt: row.generated_at.toISOString(),
      controller: deps.controller,
      complaint: deps.complaint,
      automatedDecisions: deps.automatedDecisions,
      copiesBefore,
      identifiers,
    };
    const readTwice = await store.connectionsReadTwice(db, requestId, tasks);
    const objectName = newObjectName(deps.random);
    await store.insertObject(db, { name: objectName, request_id: requestId, made_at: now(), delete_at: new Date(deps.clock.now() + unkeptMs) });
    const key = deps.encryption === 'age' ? await makePackageKey() : undefined;
    const titleOf = (connection: string): string => (Object.hasOwn(deps.systems, connection) ? (deps.systems[connection]?.title ?? connection) : connection);
    const writing = writePackage({ vault, pages, tasks, readTwice, facts, holds, titleOf, signal });
    const stop = (): void => void writing.zip.destroy(signal.reason instanceof Error ? signal.reason : new Error('The making was stopped'));
    signal.addEventListener('abort', stop, { once: true });
    try {
      const body = key === undefined ? writing.zip : await encryptFor([key.recipient])(writing.zip);
      const [bytes, { summary, records }] = await Promise.all([storage.put(objectName, body), writing.done]);
      signal.throwIfAborted();
      return { objectName, bytes, records, summary, key, copiesBefore, identifiers, tasks };
    } catch (error) {
      await store.abandonObject(db, objectName, now());
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  };

  /** Lets a package be seen, now that it is whole. Answers false when another making overtook this one. */
  const finish = async (row: store.PackageRow, vault: OpenVault, made: Made): Promise<boolean> =>
    database.transaction(async (tx) => {
      const trx = tablesOf<ExportTables>(tx);
      const current = await store.lockPackage(trx, row.request_id);
      if (current === undefined || current.state !== 'making' || current.epoch !== row.epoch || !(await store.keepObject(trx, made.objectName, now()))) return false;
      if (current.object_name !== null) await store.doomObjects(trx, [current.object_name], now());
      await store.doomObjects(trx, await store.takePartsOfOthers(trx, row.request_id, made.tasks), now());
      const linkNumber = Math.max(1, current.link_number);
      await store.updatePackage(trx, row.request_id, {
        state: 'ready',
        state_at: now(),
        lease_until: null,
        wake_at: null,
        error_code: null,
        object_name: made.objectName,
        encryption: deps.encryption,
        identity: made.key === undefined ? null : vault.seal(Buffer.from(made.key.secret, 'utf8'), identityContext(row.request_id)),
        bytes: made.bytes,
        records: made.records,
        summary: JSON.stringify(made.summary),
        copies_before: made.copiesBefore,
        expires_at: new Date(deps.clock.now() + packageDays * dayMs),
        link_number: linkNumber,
        token_hash: tokenHash(linkToken(deps.systemKeys, row.request_id, linkNumber)),
      });
      if (current.copies_before === null) await store.insertCopies(trx, copyHashes(deps.systemKeys, made.identifiers), now());
      await deps.record(tx, {
        type: 'export.ready',
        at: isoTime(deps.clock.now()),
        actor: { role: 'system' },
        request_id: formatId('request', row.request_id),
        counts: { records: made.records, left_out: made.summary.left_out ?? 0, not_declared: made.summary.findings?.length ?? 0, copies_before: made.copiesBefore },
      });
      await deps.onMade(tx, row.request_id, 'ready');
      return true;
    });

  const giveBack = async (row: store.PackageRow, error: unknown): Promise<void> => {
    const code = isFailure(error) ? error.code : 'INTERNAL';
    const isOver = (isFailure(error) && error.retry === 'operator') || row.attempts >= attemptsMax;
    deps.log.warn({ request_id: row.request_id, attempt: row.attempts, err: error }, 'a package could not be made');
    const delayMs = backoffMs(row.attempts, deps.random.fraction());
    await database.transaction(async (tx) => {
      const trx = tablesOf<ExportTables>(tx);
      const current = await store.lockPackage(trx, row.request_id);
      if (current === undefined || current.state !== 'making' || current.epoch !== row.epoch) return;
      const failed = { lease_until: null, error_code: code, state_at: now() };
      if (isOver) {
        await store.updatePackage(trx, row.request_id, { ...failed, state: 'failed', wake_at: null });
        await deps.onMade(tx, row.request_id, 'failed');
      } else {
        await store.updatePackage(trx, row.request_id, { ...failed, wake_at: new Date(deps.clock.now() + delayMs) });
        await deps.jobs.send(tx, exportMake, { request_id: row.request_id }, { delayMs });
      }
    });
  };

  return {
    make: async (tx, requestId) => {
      const trx = tablesOf<ExportTables>(tx);
      const wakeAt = new Date(deps.clock.now() + lookMs);
      const current = await store.lockPackage(trx, requestId);
      if (current?.state === 'making' || current?.state === 'ready') return;
      if (current?.ended_why === 'revoked') throw new Failure('CONFLICT', 'The package was revoked, and is not made again');
      if (current === undefined) await store.insertPackage(trx, requestId, now(), wakeAt);
      else {
        // A link that ended stays dead: the next one is another.
        const linkNumber = current.link_number + (current.state === 'ended' ? 1 : 0);
        await store.updatePackage(trx, requestId, { state: 'making', state_at: now(), generated_at: now(), attempts: 0, error_code: null, ended_why: null, lease_until: null, wake_at: wakeAt, link_number: linkNumber });
      }
      await deps.jobs.send(tx, exportMake, { request_id: requestId });
    },
    run: async (requestId, signal) => {
      const row = await store.claimMaking(db, requestId, leaseMs);
      if (row === undefined) return;
      // Those before never came to say what they failed by: their processes died, and this one would too.
      if (row.attempts > attemptsMax) return giveBack(row, new Error('The making of a package began too often and never came to an end'));
      try {
        const vault = await deps.vault.unlock(requestId);
        const made = await holding(deps, row, signal, (held) => compile(row, vault, held));
        if (await finish(row, vault, made)) return;
        await store.abandonObject(db, made.objectName, now());
        deps.log.info({ request_id: requestId }, 'a package was made that is not wanted any more');
      } catch (error) {
        // The person is gone: whoever shredded the request ends the package.
        if (error instanceof Failure && error.code === 'KEY_DESTROYED') return;
        await giveBack(row, error);
      }
    },
  };
}
