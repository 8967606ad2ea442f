import { Readable } from 'node:stream';
import type { ExportedRecord } from '../../connector-kit/index.ts';
import type { RequestId, TaskId } from '../../contract/ids.ts';
import type { Clock } from '../../platform/clock.ts';
import { tablesOf, type Database } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import type { Random } from '../../platform/random.ts';
import type { OpenVault } from '../identity/index.ts';
import type { RecordPlace } from './domain/attachment.ts';
import { openFrames, sealFrames } from './sealed-frames.ts';
import type { ExportStorage } from './storage/export-storage.ts';
import * as store from './store.ts';
import type { ExportTables } from './tables.ts';

/** What a system gave in one page. */
export interface NewPage {
  readonly requestId: RequestId;
  readonly taskId: TaskId;
  readonly connection: string;
  /** From 0, without a gap, within the task. */
  readonly ordinal: number;
  /** The worker's hold on the task: what a worker of a higher one has kept or dropped, one of a lower one cannot change. */
  readonly epoch: number;
  readonly records: readonly ExportedRecord[];
}

/** A task's pages from an ordinal on. */
export interface PagesFrom extends Pick<NewPage, 'requestId' | 'taskId' | 'epoch'> {
  readonly from: number;
}

/** A record and where it stands in what was gathered. */
export interface GatheredRecord {
  readonly place: RecordPlace;
  readonly type: string;
  readonly data: unknown;
  /** The record as it was kept: the same for records that are equal. */
  readonly line: string;
}

/** Keeps pages and gives them back, one at a time in memory. */
export interface Pages {
  /** Keeps a page durably, sealed under the request's data key; one that comes again takes the place of the first. Answers false, and keeps nothing, where a worker of a higher epoch has the task. Fails with `UNSUPPORTED` when it is over 8 MiB. */
  readonly add: (vault: OpenVault, page: NewPage) => Promise<boolean>;
  /** Drops a task's pages from this one on; answers false, and drops none, where a worker of a higher epoch has the task. */
  readonly drop: (pages: PagesFrom) => Promise<boolean>;
  /** Every record of these tasks in the one order in which a package has them, some at a time; `wants` passes over pages without looking into them, by the types that they hold. */
  readonly records: (vault: OpenVault, tasks: readonly TaskId[], wants: (connection: string, type: string) => boolean, signal: AbortSignal) => AsyncGenerator<readonly GatheredRecord[]>;
}

/** What keeping pages needs. */
export interface PagesDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly storage: ExportStorage;
}

/** The longest page, in bytes of its JSON: what a connector may give. */
export const pageBytesMax = 8 * 1024 * 1024;
/** Something that is written longer than this ago and is not kept never will be: longer than any making of a package. */
export const unkeptMs = 24 * 3_600_000;
const partsAtOnce = 200;
/** 256 random bits. */
const nameBytes = 32;

/** A name that tells nothing and that nobody guesses. */
export const newObjectName = (random: Random): string => random.bytes(nameBytes).toString('base64url');

const contextOf = (taskId: TaskId, ordinal: number): string => `export_part:${taskId}:${ordinal}`;

/** A page's records, a line each. Fails with `UNSUPPORTED` when they are longer than a page may be. */
function* linesOf(records: readonly ExportedRecord[]): Generator<string> {
  let bytes = 0;
  for (const { type, data } of records) {
    const line = `${JSON.stringify({ type, data: data ?? null })}\n`;
    bytes += Buffer.byteLength(line, 'utf8');
    if (bytes > pageBytesMax) throw new Failure('UNSUPPORTED', `A page of an export has more than the ${pageBytesMax} bytes that one may have; the connector must give smaller pages`);
    yield line;
  }
}

/** Makes what keeps pages. */
export function createPages(deps: PagesDeps): Pages {
  const { database, storage } = deps;
  const db = database.read<ExportTables>();
  const now = (): Date => new Date(deps.clock.now());

  return {
    add: async (vault, { requestId, taskId, connection, ordinal, epoch, records }) => {
      const counts = new Map<string, number>();
      for (const { type } of records) counts.set(type, (counts.get(type) ?? 0) + 1);
      const name = newObjectName(deps.random);
      await store.insertObject(db, { name, request_id: requestId, made_at: now(), delete_at: new Date(deps.clock.now() + unkeptMs) });
      try {
        await storage.put(name, Readable.from(sealFrames(vault, linesOf(records), contextOf(taskId, ordinal)), { objectMode: false }));
        const isKept = await database.transaction(async (tx) => {
          const trx = tablesOf<ExportTables>(tx);
          if (!(await store.fenceTask(trx, { task_id: taskId, request_id: requestId, epoch }))) return false;
          if (!(await store.keepObject(trx, name, now()))) throw new Failure('STORAGE_UNAVAILABLE', 'A page took so long to be written that it was given up');
          const packaged = await store.findPackage(trx, requestId);
          if (packaged?.ended_why === 'shredded') throw new Failure('KEY_DESTROYED', "The request's data key was destroyed, and nothing more is kept for it");
          const before = await store.putPart(trx, { task_id: taskId, ordinal, request_id: requestId, connection, object_name: name, counts: Object.fromEntries(counts) });
          if (before !== undefined) await store.doomObjects(trx, [before], now());
          await store.outdatePackage(trx, requestId, now());
          return true;
        });
        if (!isKept) await store.abandonObject(db, name, now());
        return isKept;
      } catch (error) {
        // Whatever was written is not kept, and nobody writes it any more.
        await store.abandonObject(db, name, now());
        throw error;
      }
    },
    drop: async ({ requestId, taskId, epoch, from }) =>
      database.transaction(async (tx) => {
        const trx = tablesOf<ExportTables>(tx);
        if (!(await store.fenceTask(trx, { task_id: taskId, request_id: requestId, epoch }))) return false;
        const dropped = await store.takeParts(trx, taskId, from);
        await store.doomObjects(trx, dropped, now());
        if (dropped.length > 0) await store.outdatePackage(trx, requestId, now());
        return true;
      }),
    records: async function* (vault, tasks, wants, signal) {
      const numbers = new Map<TaskId, number>();
      let after: store.PartPlace | undefined;
      for (;;) {
        const parts = await store.partsAfter(db, vault.requestId, tasks, after, partsAtOnce);
        for (const part of parts) {
          signal.throwIfAborted();
          after = part;
          if (!numbers.has(part.task_id)) numbers.set(part.task_id, numbers.size + 1);
          if (!Object.keys(part.counts).some((type) => wants(part.connection, type))) continue;
          let index = 0;
          for await (const lines of openFrames(vault, await storage.get(part.object_name), contextOf(part.task_id, part.ordinal))) {
            const batch: GatheredRecord[] = [];
            for (const line of lines) {
              const { type, data } = JSON.parse(line) as { readonly type: string; readonly data: unknown };
              if (wants(part.connection, type)) batch.push({ place: { connection: part.connection, task: numbers.get(part.task_id) ?? 0, ordinal: part.ordinal, index }, type, data, line });
              index += 1;
            }
            if (batch.length > 0) yield batch;
          }
        }
        if (parts.length < partsAtOnce) return;
      }
    },
  };
}
