import { formatId, type RequestId } from '../../contract/ids.ts';
import { isoTime } from '../../platform/clock.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { copyHashes, yearMs } from './copies.ts';
import { canBeFetched, createDelivery } from './delivery.ts';
import type { Exports, ExportsDeps, PackageStatus } from './exports.ts';
import { exportMake } from './jobs.ts';
import { createPackageMaker } from './make-package.ts';
import { createPages } from './pages.ts';
import * as store from './store.ts';
import type { EndedWhy, ExportTables } from './tables.ts';

/** What one sweep does at most; the next one goes on. */
const sweepMax = 500;
const hourMs = 3_600_000;
/** Refusals of one deletion after which a person hears of it: a storage that is down for an hour is not news yet. */
const refusalsToTell = 3;

const numberOf = (value: string | number | null): number | null => (value === null ? null : Number(value));

function statusOfRow(row: store.PackageRow): PackageStatus {
  return {
    state: row.state,
    ended_why: row.ended_why,
    error_code: row.error_code,
    encryption: row.encryption,
    bytes: numberOf(row.bytes),
    records: numberOf(row.records),
    categories: row.summary.categories ?? {},
    left_out: row.summary.left_out ?? 0,
    findings: row.summary.findings ?? [],
    copies_before: row.copies_before,
    expires_at: row.expires_at?.toISOString() ?? null,
    downloads: row.downloads,
    downloaded_at: row.downloaded_at?.toISOString() ?? null,
  };
}

/** What is left of a package when it has ended. */
const ended = (why: EndedWhy, at: Date) =>
  ({ state: 'ended', state_at: at, ended_why: why, object_name: null, identity: null, token_hash: null, lease_until: null, wake_at: null, code_expires_at: null }) as const;

/** Makes exports. The folder or the bucket is touched only when something is kept, made, handed out or deleted. */
export function createExports(deps: ExportsDeps): Exports {
  const { database, storage } = deps;
  const db = database.read<ExportTables>();
  const now = (): Date => new Date(deps.clock.now());
  const pages = createPages(deps);
  const maker = createPackageMaker(deps, pages);

  /** Ends a package and has everything of it deleted. Answers false when it had ended, or never was. */
  const end = async (tx: Tx, requestId: RequestId, why: EndedWhy, actor: { role: 'system' | 'operator'; id?: string }): Promise<boolean> => {
    const trx = tablesOf<ExportTables>(tx);
    const row = await store.lockPackage(trx, requestId);
    if (row !== undefined && row.state !== 'ended') {
      await store.updatePackage(trx, requestId, ended(why, now()));
      await deps.record(tx, { type: 'export.ended', at: isoTime(deps.clock.now()), actor, request_id: formatId('request', requestId), reason_code: why, counts: { downloads: row.downloads } });
    }
    // Pages are there without a package too: of a request that was withdrawn before one was made.
    const objects = await store.doomRequest(trx, requestId, now());
    if (why === 'shredded' && row === undefined && objects > 0) await store.insertShredded(trx, requestId, now());
    if (why === 'shredded' && row?.state === 'ended') await store.updatePackage(trx, requestId, { ended_why: why });
    return row !== undefined && row.state !== 'ended';
  };

  const deleteDue = async (): Promise<void> => {
    for (const { name, request_id: requestId, refusals } of await store.dueObjects(db, now(), sweepMax)) {
      try {
        await storage.delete(name);
        await store.forgetObject(db, name);
      } catch (error) {
        deps.log.error({ request_id: requestId, refusals: refusals + 1, err: error }, 'the export store did not delete what has to go; it is tried again');
        await database.transaction(async (tx) => {
          const { refusals: count, alike } = await store.noteRefusal(tablesOf<ExportTables>(tx), name, new Date(deps.clock.now() + hourMs));
          // Once for each request, of whose objects a lock refuses all.
          if (count !== refusalsToTell || alike > 1) return;
          await deps.record(tx, { type: 'export.deletion_refused', at: isoTime(deps.clock.now()), actor: { role: 'system' }, request_id: formatId('request', requestId), attempt: count });
          await deps.onDeletionRefused(tx, requestId);
        });
      }
    }
  };

  const sweep = async (): Promise<void> => {
    for (const requestId of await store.dueMakings(db, now(), sweepMax)) await deps.jobs.poke(exportMake, { request_id: requestId });
    for (const requestId of await store.expiredPackages(db, now(), sweepMax)) await database.transaction(async (tx) => void (await end(tx, requestId, 'expired', { role: 'system' })));
    await deleteDue();
    await store.forgetCopies(db, new Date(deps.clock.now() - yearMs));
  };

  return {
    addPage: pages.add,
    dropPages: pages.drop,
    make: maker.make,
    runMaking: maker.run,
    stateOf: async (tx, requestId) => {
      const row = await store.findPackage(tablesOf<ExportTables>(tx), requestId);
      if (row === undefined) return { state: 'none', at: now() };
      if (row.ended_why === 'revoked') return { state: 'revoked', at: row.state_at };
      return { state: row.state === 'stale' || row.state === 'ended' ? 'none' : row.state, at: row.state_at };
    },
    expiresAt: async (requestId) => {
      const row = await store.findPackage(db, requestId);
      return row === undefined || !canBeFetched(row, deps.clock.now()) ? undefined : row.expires_at?.getTime();
    },
    sweep,
    recover: async () => {
      await store.freeMakings(db, now());
      await sweep();
    },
    discard: async (tx, requestId) => void (await end(tx, requestId, 'shredded', { role: 'system' })),
    revoke: async (requestId, operator) => {
      await database.transaction(async (tx) => {
        // In the transaction: where there is no package, the pages of one to come stay.
        if (!(await end(tx, requestId, 'revoked', { role: 'operator', id: operator }))) throw new Failure('NOT_FOUND', 'This request has no package, or not any more');
      });
      await deleteDue();
    },
    statusOf: async (requestId) => {
      const row = await store.findPackage(db, requestId);
      return row === undefined ? undefined : statusOfRow(row);
    },
    copiesBefore: (identifiers) => store.copiesSince(db, copyHashes(deps.systemKeys, identifiers), new Date(deps.clock.now() - yearMs)),
    delivery: createDelivery(deps),
  };
}
