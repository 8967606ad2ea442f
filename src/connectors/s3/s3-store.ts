import { z } from 'zod';
import type { DeleteObjectsCommandOutput, ListMultipartUploadsCommandOutput, ListObjectVersionsCommandOutput } from '@aws-sdk/client-s3';
import { Failure, vendorFailure, type ConnectorContext, type ObjectPage, type ObjectPlace, type ObjectStore, type Removal, type StoredObject } from '../../connector-kit/index.ts';
import { failureOf, S3Refusal, type S3Gateway } from './gateway.ts';
import { lockOf } from './object-locks.ts';

/** How many are deleted between two looks. S3 takes 1,000, but each that is locked costs two calls more, and a step has some 20 seconds. */
const pageSize = 250;
const parallel = 8;
/** Codes of a single object's error after which trying again helps. */
const passing: readonly string[] = ['InternalError', 'ServiceUnavailable', 'OperationAborted', 'RequestTimeout'];

const tokenSchema = z.strictObject({ name: z.string(), id: z.string().optional() });
const readToken = (page: string | undefined): z.output<typeof tokenSchema> | undefined => (page === undefined ? undefined : tokenSchema.parse(JSON.parse(page)));

/** Names are asked for URL-encoded, since XML cannot hold all of them. */
const decode = (text: string): string => {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new Failure('VENDOR_MALFORMED', 'S3 answered with a name that is not URL-encoded as it was asked for');
  }
};

function incomplete(): Failure {
  return new Failure('VENDOR_MALFORMED', 'S3 answered with a list of which parts are missing');
}

/** What S3 keeps at a person's places: versions, the markers that hide them, and uploads that were never finished. Made for one step. */
export function createS3Store(gateway: S3Gateway, context: ConnectorContext): ObjectStore {
  const versions = createVersionList(gateway);
  const uploads = createUploadList(gateway);
  return {
    lists: [
      { name: 'versions', mode: 'remove' },
      { name: 'delete_markers', mode: 'remove' },
      { name: 'multipart_uploads', mode: 'remove' },
    ],
    contentList: 'versions',
    pageSize,
    list: async (list, place, page, limit) => {
      const found = list === 'multipart_uploads' ? await uploads(place, page, limit) : await versions(list, place, page, limit);
      return place.isExact ? onlyExact(found, place.name) : within(found, place.name);
    },
    remove: async (list, place, objects, anyKept) => {
      if (list === 'multipart_uploads') return inParallel(objects, async (object) => abortUpload(gateway, context, place, object));
      const hiding = list === 'delete_markers' && anyKept ? await stillNeeded(versions, place, objects) : new Set<string>();
      const free = objects.filter(({ name }) => !hiding.has(name));
      const removals = free.length === 0 ? [] : await deleteVersions(gateway, context, place, free);
      return objects.map((object) => removals[free.indexOf(object)] ?? ({ is: 'kept', lock: { why: 'hides_locked_version' } } as const));
    },
    read: async ({ bucket }, { name, id }) => {
      try {
        const { Body, ContentType } = await gateway.send(new gateway.sdk.GetObjectCommand({ Bucket: bucket, Key: name, VersionId: id }));
        if (Body === undefined) throw incomplete();
        return { contentType: ContentType, bytes: Buffer.from(await Body.transformToByteArray()) };
      } catch (error) {
        if (!(error instanceof S3Refusal)) throw error;
        if (error.code === 'NoSuchKey' || error.code === 'NoSuchVersion') return 'absent';
        if (error.code === 'InvalidObjectState') return 'archived';
        throw failureOf(error, context.now());
      }
    },
  };
}

type ListVersions = (list: string, place: Pick<ObjectPlace, 'bucket' | 'name'>, page: string | undefined, limit: number) => Promise<ObjectPage>;

function createVersionList(gateway: S3Gateway): ListVersions {
  return async (list, { bucket, name: prefix }, page, limit) => {
    const from = readToken(page);
    const command = new gateway.sdk.ListObjectVersionsCommand({
      Bucket: bucket,
      Prefix: prefix,
      EncodingType: 'url',
      MaxKeys: limit,
      ...(from === undefined ? {} : { KeyMarker: from.name, ...(from.id === undefined ? {} : { VersionIdMarker: from.id }) }),
    });
    const answer: ListObjectVersionsCommandOutput = await gateway.must(command);
    const entries = list === 'versions' ? (answer.Versions ?? []) : (answer.DeleteMarkers ?? []);
    const objects = entries.map((each): StoredObject => {
      const { Key, VersionId, LastModified } = each;
      if (Key === undefined || VersionId === undefined || LastModified === undefined) throw incomplete();
      const bytes = 'Size' in each && typeof each.Size === 'number' ? each.Size : undefined;
      return { name: decode(Key), id: VersionId, at: LastModified.getTime(), isCurrent: each.IsLatest === true, ...(bytes === undefined ? {} : { bytes }) };
    });
    return paged(objects, answer.IsTruncated, answer.NextKeyMarker, answer.NextVersionIdMarker);
  };
}

function createUploadList(gateway: S3Gateway): (place: ObjectPlace, page: string | undefined, limit: number) => Promise<ObjectPage> {
  return async ({ bucket, name: prefix }, page, limit) => {
    const from = readToken(page);
    const command = new gateway.sdk.ListMultipartUploadsCommand({
      Bucket: bucket,
      Prefix: prefix,
      EncodingType: 'url',
      MaxUploads: limit,
      ...(from === undefined ? {} : { KeyMarker: from.name, ...(from.id === undefined ? {} : { UploadIdMarker: from.id }) }),
    });
    const answer: ListMultipartUploadsCommandOutput = await gateway.must(command);
    const objects = (answer.Uploads ?? []).map(({ Key, UploadId, Initiated }): StoredObject => {
      if (Key === undefined || UploadId === undefined) throw incomplete();
      return { name: decode(Key), id: UploadId, at: Initiated?.getTime() ?? 0, isCurrent: false };
    });
    return paged(objects, answer.IsTruncated, answer.NextKeyMarker, answer.NextUploadIdMarker);
  };
}

function paged(objects: readonly StoredObject[], isTruncated: boolean | undefined, name: string | undefined, id: string | undefined): ObjectPage {
  // An answer without it is no list of S3's, and would otherwise read as an empty one.
  if (isTruncated === undefined || (isTruncated && name === undefined)) throw incomplete();
  return isTruncated && name !== undefined ? { objects, next: JSON.stringify({ name: decode(name), ...(id === undefined || id === '' ? {} : { id }) }) } : { objects };
}

/** A list is sorted by name, and the name itself comes before all that it is a prefix of. */
function onlyExact({ objects, next }: ObjectPage, name: string): ObjectPage {
  const own = objects.filter((each) => each.name === name);
  const goesOn = next !== undefined && own.length === objects.length && readToken(next)?.name === name;
  return goesOn ? { objects: own, next } : { objects: own };
}

/** Nothing that does not begin with the prefix is touched, whatever the answer has. */
function within(page: ObjectPage, prefix: string): ObjectPage {
  if (page.objects.some(({ name }) => !name.startsWith(prefix))) throw new Failure('SUBJECT_AMBIGUOUS', 'S3 answered with objects outside of the prefix that was asked for');
  return page;
}

/** Names of which a version stays: without their marker they would be served again. */
async function stillNeeded(versions: ListVersions, { bucket }: ObjectPlace, markers: readonly StoredObject[]): Promise<Set<string>> {
  const names = [...new Set(markers.map(({ name }) => name))];
  const needed = await inParallel(names, async (name) => ((await versions('versions', { bucket, name }, undefined, pageSize)).objects.some((each) => each.name === name) ? [name] : []));
  return new Set(needed.flat());
}

async function deleteVersions(gateway: S3Gateway, context: ConnectorContext, place: ObjectPlace, objects: readonly StoredObject[]): Promise<readonly Removal[]> {
  const command = new gateway.sdk.DeleteObjectsCommand({ Bucket: place.bucket, Delete: { Objects: objects.map(({ name, id }) => ({ Key: name, VersionId: id })), Quiet: false } });
  const answer: DeleteObjectsCommandOutput = await gateway.must(command);
  const keyOf = (name: string | undefined, id: string | undefined): string => JSON.stringify([name, id ?? 'null']);
  const deleted = new Set((answer.Deleted ?? []).map(({ Key, VersionId }) => keyOf(Key, VersionId)));
  const errors = new Map((answer.Errors ?? []).map(({ Key, VersionId, Code }) => [keyOf(Key, VersionId), Code]));
  return inParallel(objects, async (object): Promise<Removal> => {
    const key = keyOf(object.name, object.id);
    if (deleted.has(key)) return { is: 'deleted' };
    // 200 and neither deleted nor an error: that is no answer.
    if (!errors.has(key)) return { is: 'failed', reason: incomplete() };
    return refusedRemoval(gateway, context, place, object, errors.get(key));
  });
}

async function refusedRemoval(gateway: S3Gateway, context: ConnectorContext, place: ObjectPlace, object: StoredObject, code: string | undefined): Promise<Removal> {
  const now = context.now();
  if (code === 'NoSuchVersion' || code === 'NoSuchKey') return { is: 'absent' };
  try {
    const lock = code === 'AccessDenied' ? await lockOf(gateway, place, object, now) : undefined;
    if (lock !== undefined) return { is: 'kept', lock };
  } catch (reason) {
    return { is: 'failed', reason };
  }
  const status = code === 'AccessDenied' ? 403 : code === 'SlowDown' ? 429 : code !== undefined && passing.includes(code) ? 503 : 400;
  return { is: 'failed', reason: vendorFailure(status, { ...(code === undefined ? {} : { vendorCode: code }), now }) };
}

async function abortUpload(gateway: S3Gateway, context: ConnectorContext, { bucket }: ObjectPlace, { name, id }: StoredObject): Promise<Removal> {
  try {
    await gateway.send(new gateway.sdk.AbortMultipartUploadCommand({ Bucket: bucket, Key: name, UploadId: id }));
    return { is: 'deleted' };
  } catch (error) {
    if (!(error instanceof S3Refusal)) return { is: 'failed', reason: error };
    return error.code === 'NoSuchUpload' ? { is: 'absent' } : { is: 'failed', reason: failureOf(error, context.now()) };
  }
}

async function inParallel<Item, Value>(items: readonly Item[], work: (item: Item) => Promise<Value>): Promise<Value[]> {
  const values: Value[] = [];
  for (let at = 0; at < items.length; at += parallel) values.push(...(await Promise.all(items.slice(at, at + parallel).map(work))));
  return values;
}
