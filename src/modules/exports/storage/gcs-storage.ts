import { pipeline } from 'node:stream/promises';
import { Storage, type File } from '@google-cloud/storage';
import { systemClock } from '../../../platform/clock.ts';
import { Failure, isFailure } from '../../../platform/failure.ts';
import { createCountedStream } from './counted.ts';
import type { ExportStorage } from './export-storage.ts';

/** A bucket of Google Cloud Storage. */
export interface GcsOptions {
  readonly bucket: string;
  /** Goes before every name: `exports/`. */
  readonly prefix: string;
  readonly endpoint?: string | undefined;
  /** A service account's key; the machine's own account where absent, as the SDK finds it. */
  readonly credentials?: { readonly client_email: string; readonly private_key: string; readonly project_id?: string | undefined } | undefined;
  /** The key of Cloud KMS that the storage is asked to encrypt with, and has to say that it did: `projects/…/cryptoKeys/…`. */
  readonly kmsKeyName?: string | undefined;
  /** Whether the encryption that Google has of itself counts as the package's own. */
  readonly encryptsItself: boolean;
}

/** Bytes that go up at once; a multiple of 256 KiB, as resumable uploads want it. */
const chunkBytes = 8 * 1024 * 1024;
const retriesMax = 3;
const retrySecondsMax = 60;

/** Gives the failure of what the SDK throws, without its message, which may hold names. */
function gcsFailure(error: unknown): Failure {
  if (isFailure(error)) return error;
  const { code, status } = error as { code?: unknown; status?: unknown };
  const number = [code, status].map(Number).find((each) => each >= 300 && each < 600);
  if (number === undefined || number >= 500 || number === 408 || number === 429) {
    return new Failure('STORAGE_UNAVAILABLE', `Google Cloud Storage could not be reached or failed (${number ?? 'no answer'})`, { cause: error });
  }
  return new Failure('STORAGE_REFUSED', `Google Cloud Storage refused (${number}); see to the bucket, its rights and its retention`, { cause: error });
}

const isNotFound = (error: unknown): boolean => Number((error as { code?: unknown }).code) === 404;

function storageOf(options: GcsOptions): Storage {
  const { credentials, endpoint } = options;
  const storage = new Storage({
    retryOptions: { maxRetries: retriesMax, totalTimeout: retrySecondsMax, autoRetry: true },
    ...(endpoint === undefined ? {} : { apiEndpoint: endpoint, useAuthWithCustomEndpoint: true }),
    ...(credentials === undefined ? {} : { credentials: { client_email: credentials.client_email, private_key: credentials.private_key }, projectId: credentials.project_id ?? 'unused' }),
  });
  // With a key of its own an account signs its tokens itself, and no other host has to be called for them.
  if (credentials !== undefined) (storage.authClient as { useJWTAccessWithScope?: boolean }).useJWTAccessWithScope = true;
  return storage;
}

/** Keeps exports in a bucket of Google Cloud Storage, streaming up. An upload that was broken off cannot be seen and is forgotten by Google after a week. */
export function createGcsStorage(options: GcsOptions): ExportStorage {
  const bucket = storageOf(options).bucket(options.bucket);
  const asked = options.kmsKeyName;
  const keyOf = (name: string): string => `${options.prefix}${name}`;
  const fileOf = (name: string): File => bucket.file(keyOf(name), asked === undefined ? {} : { kmsKeyName: asked });
  const remove = async (name: string): Promise<void> => {
    try {
      // A bucket with versions keeps what was deleted; each of them goes.
      const [versions] = await bucket.getFiles({ prefix: keyOf(name), versions: true, autoPaginate: false });
      for (const version of versions.filter((each) => each.name === keyOf(name))) {
        await version.delete().catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      }
    } catch (error) {
      throw gcsFailure(error);
    }
  };
  return {
    kind: 'gcs',
    encryptsItself: options.encryptsItself,
    linkOrigin: new URL(options.endpoint ?? 'https://storage.googleapis.com').origin,
    put: async (name, body) => {
      const counted = createCountedStream();
      const file = fileOf(name);
      let contentFailure: unknown;
      body.once('error', (error) => (contentFailure = error));
      try {
        // The session is opened on its own: by itself the library forgets who calls where the endpoint is another.
        const [uri] = await file.createResumableUpload();
        await pipeline(body, counted.stream, file.createWriteStream({ uri, resumable: true, chunkSize: chunkBytes, validation: 'crc32c', contentType: 'application/octet-stream' }));
        const [metadata] = await file.getMetadata();
        if (asked !== undefined && metadata.kmsKeyName?.startsWith(asked) !== true) {
          await remove(name);
          throw new Failure('STORAGE_REFUSED', 'Google Cloud Storage did not say that it encrypts with the key it was given, so what was written was deleted again');
        }
      } catch (error) {
        body.destroy();
        throw contentFailure ?? gcsFailure(error);
      }
      return counted.bytes();
    },
    get: async (name) => {
      const file = fileOf(name);
      try {
        await file.getMetadata();
      } catch (error) {
        if (isNotFound(error)) throw new Failure('NOT_FOUND', 'There is no such object in the export store', { cause: error });
        throw gcsFailure(error);
      }
      return file.createReadStream({ validation: 'crc32c' });
    },
    delete: remove,
    link: async (name, { seconds, filename }) => {
      const [url] = await fileOf(name).getSignedUrl({ version: 'v4', action: 'read', expires: systemClock.now() + seconds * 1000, promptSaveAs: filename });
      return { url };
    },
  };
}
