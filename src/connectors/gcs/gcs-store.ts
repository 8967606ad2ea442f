import type { FileMetadata, GetFilesOptions } from '@google-cloud/storage';
import { z } from 'zod';
import { Failure, type ConnectorContext, type Lock, type ObjectPage, type ObjectPlace, type ObjectStore, type Removal, type StoredObject } from '../../connector-kit/index.ts';
import { failureOf, GcsRefusal, type GcsGateway } from './gateway.ts';

/** How many are deleted between two looks: each is a call of its own. */
const pageSize = 100;
const parallel = 8;
/** Statuses by which a lock says no (Cloud Storage, Object holds and Bucket Lock); a permission that is missing says the same 403. */
const refusedByLock: readonly number[] = [403, 412];

const time = z.iso.datetime({ offset: true });
const objectSchema = z.looseObject({
  name: z.string().min(1),
  generation: z.union([z.string(), z.number()]).transform(String),
  timeCreated: time,
  timeDeleted: time.optional(),
  hardDeleteTime: time.optional(),
  size: z.coerce.number().int().nonnegative().optional(),
});
/** Without its kind an empty object would read as an empty list. */
const listSchema = z.looseObject({ kind: z.literal('storage#objects'), nextPageToken: z.string().optional(), items: z.array(objectSchema).optional() });

/** What Google Cloud Storage keeps at a person's places: all generations; and what is soft-deleted, which goes by itself and can be deleted by nobody. Made for one step. */
export function createGcsStore(gateway: GcsGateway, context: ConnectorContext): ObjectStore {
  return {
    lists: [
      { name: 'versions', mode: 'remove' },
      { name: 'soft_deleted_objects', mode: 'report' },
    ],
    contentList: 'versions',
    pageSize,
    list: async (list, place, page, limit) => {
      const which = list === 'versions' ? { versions: true } : { softDeleted: true };
      try {
        return await listPage(gateway, place, { ...which, maxResults: limit, ...(page === undefined ? {} : { pageToken: page }) });
      } catch (error) {
        if (!(error instanceof GcsRefusal)) throw error;
        if (list !== 'versions' && error.code === 400 && !(await softDeletes(gateway, place.bucket))) return { objects: [] };
        throw failureOf(error, context.now());
      }
    },
    remove: async (_list, place, objects) => {
      const removals: Removal[] = [];
      for (let at = 0; at < objects.length; at += parallel) {
        removals.push(...(await Promise.all(objects.slice(at, at + parallel).map(async (object) => removeOne(gateway, context, place, object)))));
      }
      return removals;
    },
    read: async ({ bucket }, { name, id }) => {
      try {
        return await gateway.download(bucket, name, id);
      } catch (error) {
        if (!(error instanceof GcsRefusal)) throw error;
        if (error.code === 404) return 'absent';
        throw failureOf(error, context.now());
      }
    },
  };
}

async function listPage(gateway: GcsGateway, place: ObjectPlace, query: GetFilesOptions): Promise<ObjectPage> {
  const [, , answer] = await gateway.send(async (storage) => storage.bucket(place.bucket).getFiles({ ...query, prefix: place.name, autoPaginate: false }));
  const parsed = listSchema.safeParse(answer);
  if (!parsed.success) throw new Failure('VENDOR_MALFORMED', 'Google Cloud Storage answered with a list of another shape');
  const { items = [], nextPageToken } = parsed.data;
  if (items.some(({ name }) => !name.startsWith(place.name))) throw new Failure('SUBJECT_AMBIGUOUS', 'Google Cloud Storage answered with objects outside of the prefix that was asked for');
  const own = items.filter(({ name }) => !place.isExact || name === place.name);
  const objects = own.map(
    ({ name, generation, timeCreated, timeDeleted, hardDeleteTime, size }): StoredObject => ({
      name,
      id: generation,
      at: Date.parse(timeCreated),
      isCurrent: timeDeleted === undefined,
      ...(size === undefined ? {} : { bytes: size }),
      ...(hardDeleteTime === undefined ? {} : { until: Date.parse(hardDeleteTime) }),
    }),
  );
  // The list is sorted by name: after another name there is nothing more of this one.
  const isOver = own.length < items.length || nextPageToken === undefined || nextPageToken === '';
  return isOver ? { objects } : { objects, next: nextPageToken };
}

/** Whether the bucket has a soft delete policy: seven days unless it was changed. Needs `storage.buckets.get`. */
async function softDeletes(gateway: GcsGateway, bucket: string): Promise<boolean> {
  const [{ softDeletePolicy }] = await gateway.must(async (storage) => storage.bucket(bucket).getMetadata());
  return Number(softDeletePolicy?.retentionDurationSeconds ?? 0) > 0;
}

async function removeOne(gateway: GcsGateway, context: ConnectorContext, { bucket }: ObjectPlace, { name, id }: StoredObject): Promise<Removal> {
  try {
    await gateway.send(async (storage) => storage.bucket(bucket).file(name, { generation: id }).delete());
    return { is: 'deleted' };
  } catch (error) {
    if (!(error instanceof GcsRefusal)) return { is: 'failed', reason: error };
    if (error.code === 404) return error.reason === 'notFound' ? { is: 'absent' } : { is: 'failed', reason: new Failure('VENDOR_MALFORMED', 'A 404 came that is not of Google Cloud Storage') };
    if (!refusedByLock.includes(error.code)) return { is: 'failed', reason: failureOf(error, context.now()) };
    return lockedOrForbidden(gateway, context, { bucket, name, id }, error);
  }
}

async function lockedOrForbidden(gateway: GcsGateway, context: ConnectorContext, at: { bucket: string; name: string; id: string }, refusal: GcsRefusal): Promise<Removal> {
  try {
    const [metadata] = await gateway.must(async (storage) => storage.bucket(at.bucket).file(at.name, { generation: at.id }).getMetadata());
    const lock = lockOf(metadata, context.now());
    return lock === undefined ? { is: 'failed', reason: failureOf(refusal, context.now()) } : { is: 'kept', lock };
  } catch (reason) {
    return { is: 'failed', reason };
  }
}

/** Which lock is on an object; undefined where none is. A hold has no end, so it is the stronger reason. */
function lockOf({ temporaryHold, eventBasedHold, retention, retentionExpirationTime }: FileMetadata, now: number): Lock | undefined {
  if (temporaryHold === true) return { why: 'temporary_hold' };
  if (eventBasedHold === true) return { why: 'event_based_hold' };
  const locks = [
    { why: 'object_retention', until: Date.parse(retention?.retainUntilTime ?? '') },
    { why: 'retention_policy', until: Date.parse(retentionExpirationTime ?? '') },
  ];
  // The one that ends last decides. A time that cannot be read is none.
  return locks.filter(({ until }) => until > now).toSorted((one, other) => other.until - one.until)[0];
}
