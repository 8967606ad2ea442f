import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  S3Client,
  type ServerSideEncryption,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { Failure, isFailure } from '../../../platform/failure.ts';
import { createCountedStream } from './counted.ts';
import type { ExportStorage } from './export-storage.ts';

/** A bucket of Amazon S3, or of a service that speaks its protocol. */
export interface S3Options {
  readonly bucket: string;
  readonly region: string;
  /** Goes before every name: `exports/`. */
  readonly prefix: string;
  readonly endpoint?: string | undefined;
  readonly pathStyle: boolean;
  /** The machine's own role where absent, as the SDK finds it. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  /** What the storage is asked to encrypt with, and has to say that it did. */
  readonly serverSideEncryption?: { readonly algorithm: 'AES256' | 'aws:kms'; readonly kmsKeyId?: string | undefined } | undefined;
}

/** Bytes of a part: with the 10,000 that S3 takes, packages of up to 80 GiB. Two are in memory at most. */
const partBytes = 8 * 1024 * 1024;
const triesMax = 4;
/** What is left of a name is a handful of versions and broken-off uploads; a bound on what one deletion may cost. */
const leftoversMax = 1000;

/** Statuses of an error that a later try may not get again. */
const isPassing = (status: number | undefined): boolean => status === undefined || status >= 500 || status === 408 || status === 429;

/** Gives the failure of what the SDK throws, without its message, which may hold names. */
function s3Failure(error: unknown): Failure {
  if (isFailure(error)) return error;
  const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  const word = name !== undefined && /^\w{1,60}$/u.test(name) ? name : 'unknown';
  if (word === 'NoSuchKey') return new Failure('NOT_FOUND', 'There is no such object in the export store', { cause: error });
  if (isPassing(status)) return new Failure('STORAGE_UNAVAILABLE', `S3 could not be reached or failed (${word})`, { cause: error });
  return new Failure('STORAGE_REFUSED', `S3 refused (${status}, ${word}); see to the bucket, its policy and its locks`, { cause: error });
}

function clientOf(options: S3Options): S3Client {
  return new S3Client({
    region: options.region,
    maxAttempts: triesMax,
    forcePathStyle: options.pathStyle,
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.credentials === undefined ? {} : { credentials: { ...options.credentials } }),
  });
}

function encryptionOf({ serverSideEncryption: asked }: S3Options): { ServerSideEncryption?: ServerSideEncryption; SSEKMSKeyId?: string } {
  if (asked === undefined) return {};
  return { ServerSideEncryption: asked.algorithm, ...(asked.kmsKeyId === undefined ? {} : { SSEKMSKeyId: asked.kmsKeyId }) };
}

/** Deletes what a versioned bucket keeps of a name, and uploads of it that were broken off, which S3 keeps and bills until told otherwise. */
async function deleteLeftovers(client: S3Client, bucket: string, key: string, isVersioned: boolean): Promise<void> {
  const uploads = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: key, MaxUploads: leftoversMax }));
  for (const upload of uploads.Uploads ?? []) {
    if (upload.Key === key && upload.UploadId !== undefined) await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: upload.UploadId }));
  }
  if (!isVersioned) return;
  const versions = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: key, MaxKeys: leftoversMax }));
  for (const version of [...(versions.Versions ?? []), ...(versions.DeleteMarkers ?? [])]) {
    if (version.Key === key) await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key, ...(version.VersionId === undefined ? {} : { VersionId: version.VersionId }) }));
  }
}

/** Keeps exports in a bucket of S3, streaming up in parts. */
export function createS3Storage(options: S3Options): ExportStorage {
  const client = clientOf(options);
  const { bucket } = options;
  const keyOf = (name: string): string => `${options.prefix}${name}`;
  const asked = options.serverSideEncryption;
  const remove = async (name: string): Promise<void> => {
    const Key = keyOf(name);
    try {
      const deleted = await client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
      await deleteLeftovers(client, bucket, Key, deleted.DeleteMarker === true || deleted.VersionId !== undefined);
    } catch (error) {
      throw s3Failure(error);
    }
  };
  const upload = async (name: string, body: Readable): Promise<{ readonly encryption: string | undefined; readonly bytes: number }> => {
    const counted = createCountedStream();
    const params = { Bucket: bucket, Key: keyOf(name), Body: counted.stream, ...encryptionOf(options) };
    const sending = new Upload({ client, params, partSize: partBytes, queueSize: 1, leavePartsOnError: false });
    const sent = sending.done();
    try {
      const [done] = await Promise.all([sent, pipeline(body, counted.stream)]);
      return { encryption: done.ServerSideEncryption, bytes: counted.bytes() };
    } catch (error) {
      // The content broke off, or the storage did: either way the parts that are there go, and nothing is to be seen of them.
      await sending.abort();
      await sent.catch(() => undefined);
      throw error;
    }
  };
  return {
    kind: 's3',
    encryptsItself: asked !== undefined,
    linkOrigin: new URL(options.endpoint ?? `https://${bucket}.s3.${options.region}.amazonaws.com`).origin,
    put: async (name, body) => {
      let contentFailure: unknown;
      body.once('error', (error) => (contentFailure = error));
      let result: Awaited<ReturnType<typeof upload>>;
      try {
        result = await upload(name, body);
      } catch (error) {
        body.destroy();
        // What the content failed with is not the storage's.
        throw contentFailure ?? s3Failure(error);
      }
      if (asked !== undefined && result.encryption !== asked.algorithm) {
        await remove(name);
        throw new Failure('STORAGE_REFUSED', `S3 did not say that it encrypts with ${asked.algorithm}, so what was written was deleted again`);
      }
      return result.bytes;
    },
    get: async (name) => {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: keyOf(name) }));
        if (!(Body instanceof Readable)) throw new Failure('STORAGE_UNAVAILABLE', 'S3 answered without a body');
        return Body;
      } catch (error) {
        throw s3Failure(error);
      }
    },
    delete: remove,
    link: async (name, { seconds, filename }) => {
      const command = new GetObjectCommand({ Bucket: bucket, Key: keyOf(name), ResponseContentDisposition: `attachment; filename="${filename}"`, ResponseCacheControl: 'no-store' });
      return { url: await getSignedUrl(client, command, { expiresIn: seconds }) };
    },
  };
}
