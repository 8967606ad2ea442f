import { permit, S3Problem } from './gate.ts';
import type { S3Answer, S3Call, S3Operation } from './operation.ts';
import { currentOf, putVersion, type Version } from './state.ts';

/** What S3 keeps of an upload's headers and gives again with the object; a bucket that was planted to encrypt nothing says nothing of it. */
export function keptHeaders({ request, state }: S3Call): Record<string, string> {
  const kept = Object.entries(request.headers).filter(([name]) => (state.account.encrypts && name.startsWith('x-amz-server-side-encryption')) || name.startsWith('x-amz-meta-'));
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}

function putObject(call: S3Call): S3Answer {
  const { state, bucket, key, body, context, request } = call;
  permit(state, 's3:PutObject');
  if (request.headers['if-none-match'] === '*' && currentOf(bucket, key)?.isMarker === false) throw new S3Problem(412, 'PreconditionFailed');
  const headers = keptHeaders(call);
  const version = putVersion(state, bucket, { key, at: context.now(), isMarker: false, body, contentType: request.headers['content-type'] ?? 'binary/octet-stream', storageClass: 'STANDARD', headers });
  context.effect('version.created', `${key} ${version.versionId}`);
  return { headers: { ...headers, etag: '"0"', ...(bucket.versioning ? { 'x-amz-version-id': version.versionId } : {}) } };
}

function wantedVersion({ bucket, key, query }: S3Call): Version {
  const id = query.get('versionId');
  const found = id === null ? currentOf(bucket, key) : bucket.versions.find((each) => each.key === key && each.versionId === id);
  if (found === undefined) throw new S3Problem(404, id === null ? 'NoSuchKey' : 'NoSuchVersion');
  if (found.isMarker) throw id === null ? new S3Problem(404, 'NoSuchKey') : new S3Problem(405, 'MethodNotAllowed');
  return found;
}

function getObject(call: S3Call): S3Answer {
  permit(call.state, 's3:GetObject');
  const { body, contentType, at, headers, versionId, storageClass } = wantedVersion(call);
  if (storageClass === 'GLACIER') throw new S3Problem(403, 'InvalidObjectState');
  const disposition = call.query.get('response-content-disposition');
  return {
    headers: { ...headers, ...(disposition === null ? {} : { 'content-disposition': disposition }), 'content-type': contentType, etag: '"0"', 'last-modified': new Date(at).toUTCString(), ...(call.bucket.versioning ? { 'x-amz-version-id': versionId } : {}) },
    body,
  };
}

/** What reading and writing single objects takes. */
export const objectOperations: readonly S3Operation[] = [
  { method: 'PUT', on: 'object', handle: putObject },
  { method: 'GET', on: 'object', handle: getObject },
];
