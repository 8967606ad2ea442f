import { permit, S3Problem } from './gate.ts';
import type { S3Answer, S3Call, S3Operation } from './operation.ts';
import { byNameAndAge, type Bucket, type Version } from './state.ts';
import { documentOf, elementsOf, textsOf, type Xml } from './xml.ts';

/** A name as the call wants it written. */
function named({ query }: S3Call, text: string): string {
  return query.get('encoding-type') === 'url' ? encodeURIComponent(text).replaceAll('%2F', '/').replaceAll('%20', '+') : text;
}

const pageSizeOf = ({ state, query }: S3Call, parameter: string): number => Math.min(Number(query.get(parameter) ?? 1000), state.account.page_size);
const isAfter = (name: string, marker: string): boolean => Buffer.compare(Buffer.from(name), Buffer.from(marker)) > 0;
/** S3's times have whole seconds in listings. */
const iso = (ms: number): string => new Date(Math.floor(ms / 1000) * 1000).toISOString();

function listVersions(call: S3Call): S3Answer {
  const { bucket, query, state } = call;
  permit(state, 's3:ListBucketVersions');
  const prefix = query.get('prefix') ?? '';
  const [keyMarker, idMarker] = [query.get('key-marker'), query.get('version-id-marker')];
  const all = bucket.versions.filter(({ key }) => key.startsWith(prefix)).toSorted(byNameAndAge);
  // What the marker names may be gone by now: ids are in the order in which versions were made, newest first.
  const rest = all.filter(({ key, versionId }) => keyMarker === null || isAfter(key, keyMarker) || (key === keyMarker && idMarker !== null && versionId < idMarker));
  const page = rest.slice(0, pageSizeOf(call, 'max-keys'));
  const isTruncated = page.length < rest.length;
  const last = page.at(-1);
  const newest = new Map(all.toReversed().map((each) => [each.key, each]));
  const shown = (each: Version): Xml => ({
    Key: named(call, each.key),
    VersionId: each.versionId,
    IsLatest: newest.get(each.key) === each,
    LastModified: iso(each.at),
    ...(each.isMarker ? {} : { ETag: '"0"', Size: each.body.length, StorageClass: each.storageClass }),
  });
  const body = documentOf('ListVersionsResult', {
    Name: bucket.name,
    Prefix: named(call, prefix),
    MaxKeys: pageSizeOf(call, 'max-keys'),
    IsTruncated: isTruncated,
    ...(isTruncated && last !== undefined ? { NextKeyMarker: named(call, last.key), NextVersionIdMarker: last.versionId } : {}),
    Version: page.filter((each) => !each.isMarker).map(shown),
    DeleteMarker: page.filter((each) => each.isMarker).map(shown),
  });
  return { body };
}

const isLocked = ({ lock }: Version, now: number): boolean => lock?.legal_hold === true || (lock?.retain_until !== undefined && Date.parse(lock.retain_until) > now);

/** Deletes one version for good, or, without a version's id, puts a marker over an object of a bucket with versions. Answers S3's error code, if any. */
export function deleteOne(call: S3Call, key: string, versionId: string | undefined): { readonly code: string } | { readonly marker?: string; readonly versionId?: string } {
  const { bucket, context, state, request } = call;
  if (state.account.denied.includes(versionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion')) return { code: 'AccessDenied' };
  const found = bucket.versions.find((each) => each.key === key && each.versionId === (versionId ?? 'null'));
  if (versionId === undefined && bucket.versioning) {
    const order = state.next;
    state.next += 1;
    const marker = `v${String(order).padStart(8, '0')}`;
    bucket.versions.push({ key, versionId: marker, order, at: context.now(), isMarker: true, body: Buffer.alloc(0), contentType: '', storageClass: '', headers: {} });
    context.effect('marker.created', `${key} ${marker}`);
    return { marker };
  }
  if (found !== undefined && isLocked(found, context.now())) return { code: 'AccessDenied' };
  if (found !== undefined && !context.lies(request)) {
    bucket.versions = bucket.versions.filter((each) => each !== found);
    context.effect(found.isMarker ? 'marker.deleted' : 'version.deleted', `${key} ${found.versionId}`);
  }
  return versionId === undefined ? {} : { versionId };
}

function deleteMany(call: S3Call): S3Answer {
  const xml = call.body.toString('utf8');
  const wanted = elementsOf(xml, 'Object').map((inside) => ({ key: textsOf(inside, 'Key')[0] ?? '', versionId: textsOf(inside, 'VersionId')[0] }));
  if (wanted.length === 0 || wanted.length > 1000) throw new S3Problem(400, 'MalformedXML');
  const results = wanted.map(({ key, versionId }) => ({ key, versionId, ...deleteOne(call, key, versionId) }));
  const isQuiet = textsOf(xml, 'Quiet')[0] === 'true';
  const deleted = results.flatMap((each): Xml[] => ('code' in each || isQuiet ? [] : [{ Key: each.key, ...(each.versionId === undefined ? {} : { VersionId: each.versionId }), ...('marker' in each ? { DeleteMarker: true, DeleteMarkerVersionId: each.marker } : {}) }]));
  const errors = results.flatMap((each): Xml[] => ('code' in each ? [{ Key: each.key, ...(each.versionId === undefined ? {} : { VersionId: each.versionId }), Code: each.code, Message: 'Access Denied' }] : []));
  return { body: documentOf('DeleteResult', { Deleted: deleted, Error: errors }) };
}

function deleteObject(call: S3Call): S3Answer {
  const result = deleteOne(call, call.key, call.query.get('versionId') ?? undefined);
  if ('code' in result) throw new S3Problem(403, result.code);
  const marker = result.marker === undefined ? {} : { 'x-amz-delete-marker': 'true', 'x-amz-version-id': result.marker };
  return { status: 204, headers: { ...marker, ...(result.versionId === undefined ? {} : { 'x-amz-version-id': result.versionId }) } };
}

function listUploads(call: S3Call): S3Answer {
  const { bucket, query, state } = call;
  permit(state, 's3:ListBucketMultipartUploads');
  const prefix = query.get('prefix') ?? '';
  const [keyMarker, idMarker] = [query.get('key-marker'), query.get('upload-id-marker')];
  const all = bucket.uploads.filter(({ key }) => key.startsWith(prefix)).toSorted((one, other) => Buffer.compare(Buffer.from(one.key), Buffer.from(other.key)) || one.at - other.at);
  const rest = all.filter(({ key, uploadId }) => keyMarker === null || isAfter(key, keyMarker) || (key === keyMarker && idMarker !== null && uploadId > idMarker));
  const page = rest.slice(0, pageSizeOf(call, 'max-uploads'));
  const isTruncated = page.length < rest.length;
  const last = page.at(-1);
  const body = documentOf('ListMultipartUploadsResult', {
    Bucket: bucket.name,
    IsTruncated: isTruncated,
    ...(isTruncated && last !== undefined ? { NextKeyMarker: named(call, last.key), NextUploadIdMarker: last.uploadId } : {}),
    Upload: page.map(({ key, uploadId, at }) => ({ Key: named(call, key), UploadId: uploadId, Initiated: iso(at) })),
  });
  return { body };
}

function abortUpload({ bucket, key, query, state, context, request }: S3Call): S3Answer {
  permit(state, 's3:AbortMultipartUpload');
  const upload = bucket.uploads.find((each) => each.key === key && each.uploadId === query.get('uploadId'));
  if (upload === undefined) throw new S3Problem(404, 'NoSuchUpload');
  if (!context.lies(request)) {
    bucket.uploads = bucket.uploads.filter((each) => each !== upload);
    context.effect('upload.aborted', `${key} ${upload.uploadId}`);
  }
  return { status: 204 };
}

function lockedVersion(bucket: Bucket, call: S3Call): Version {
  if (!bucket.objectLock) throw new S3Problem(400, 'InvalidRequest');
  const found = bucket.versions.find(({ key, versionId }) => key === call.key && versionId === call.query.get('versionId'));
  if (found === undefined) throw new S3Problem(404, 'NoSuchVersion');
  return found;
}

function readRetention(call: S3Call): S3Answer {
  permit(call.state, 's3:GetObjectRetention');
  const { lock } = lockedVersion(call.bucket, call);
  if (lock?.retain_until === undefined) throw new S3Problem(404, 'NoSuchObjectLockConfiguration');
  return { body: documentOf('Retention', { Mode: lock.mode ?? 'COMPLIANCE', RetainUntilDate: lock.retain_until }) };
}

function readLegalHold(call: S3Call): S3Answer {
  permit(call.state, 's3:GetObjectLegalHold');
  const { lock } = lockedVersion(call.bucket, call);
  if (lock?.legal_hold === undefined) throw new S3Problem(404, 'NoSuchObjectLockConfiguration');
  return { body: documentOf('LegalHold', { Status: lock.legal_hold ? 'ON' : 'OFF' }) };
}

/** What deletion takes: versions, markers, unfinished uploads, and the locks on them. */
export const versionOperations: readonly S3Operation[] = [
  { method: 'GET', on: 'bucket', parameter: 'versions', handle: listVersions },
  { method: 'GET', on: 'bucket', parameter: 'uploads', handle: listUploads },
  { method: 'POST', on: 'bucket', parameter: 'delete', handle: deleteMany },
  { method: 'DELETE', on: 'object', parameter: 'uploadId', handle: abortUpload },
  { method: 'DELETE', on: 'object', handle: deleteObject },
  { method: 'GET', on: 'object', parameter: 'retention', handle: readRetention },
  { method: 'GET', on: 'object', parameter: 'legal-hold', handle: readLegalHold },
];
