import { permit, S3Problem } from './gate.ts';
import { keptHeaders } from './objects.ts';
import type { S3Answer, S3Call, S3Operation } from './operation.ts';
import { putVersion, type MultipartUpload } from './state.ts';
import { documentOf } from './xml.ts';

/** Of every part but the last: docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html. */
const partBytesMin = 5 * 1024 * 1024;

function uploadOf({ bucket, key, query }: S3Call): MultipartUpload {
  const upload = bucket.uploads.find((each) => each.key === key && each.uploadId === query.get('uploadId'));
  if (upload === undefined) throw new S3Problem(404, 'NoSuchUpload');
  return upload;
}

function createUpload(call: S3Call): S3Answer {
  const { state, bucket, key, context, request } = call;
  permit(state, 's3:PutObject');
  const uploadId = `upload-${state.next}`;
  state.next += 1;
  bucket.uploads.push({ key, uploadId, at: context.now(), contentType: request.headers['content-type'] ?? 'binary/octet-stream', headers: keptHeaders(call), parts: new Map() });
  return { body: documentOf('InitiateMultipartUploadResult', { Bucket: bucket.name, Key: key, UploadId: uploadId }) };
}

function uploadPart(call: S3Call): S3Answer {
  const number = Number(call.query.get('partNumber'));
  if (!Number.isInteger(number) || number < 1 || number > 10_000) throw new S3Problem(400, 'InvalidArgument');
  uploadOf(call).parts.set(number, call.body);
  return { headers: { etag: `"part-${number}"` } };
}

function completeUpload(call: S3Call): S3Answer {
  const { state, bucket, key, body, context } = call;
  const upload = uploadOf(call);
  const named = [...body.toString('utf8').matchAll(/<PartNumber>(\d+)<\/PartNumber>/gu)].map(([, number]) => upload.parts.get(Number(number)));
  const parts = named.flatMap((part) => part ?? []);
  if (parts.length === 0 || parts.length !== named.length) throw new S3Problem(400, 'InvalidPart');
  if (parts.slice(0, -1).some((part) => part.length < partBytesMin)) throw new S3Problem(400, 'EntityTooSmall');
  bucket.uploads = bucket.uploads.filter((each) => each !== upload);
  const version = putVersion(state, bucket, { key, at: context.now(), isMarker: false, body: Buffer.concat(parts), contentType: upload.contentType, storageClass: 'STANDARD', headers: upload.headers });
  context.effect('version.created', `${key} ${version.versionId}`);
  return { headers: { ...upload.headers }, body: documentOf('CompleteMultipartUploadResult', { Bucket: bucket.name, Key: key, ETag: '"0"' }) };
}

/** What uploading in parts takes; an upload that is broken off is in `versions.ts`. */
export const multipartOperations: readonly S3Operation[] = [
  { method: 'POST', on: 'object', parameter: 'uploads', handle: createUpload },
  { method: 'PUT', on: 'object', parameter: 'uploadId', handle: uploadPart },
  { method: 'POST', on: 'object', parameter: 'uploadId', handle: completeUpload },
];
