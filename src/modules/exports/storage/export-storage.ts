import type { Readable } from 'node:stream';

/** A link to one object at the storage, for a time. */
export interface StorageLink {
  readonly url: string;
}

/**
 * Where the bytes of exports are. Names are random and are given by the caller. All fail with `STORAGE_UNAVAILABLE`, which is tried again, or
 * `STORAGE_REFUSED`, which needs an operator.
 */
export interface ExportStorage {
  readonly kind: 'local' | 's3' | 'gcs';
  /** Whether the storage encrypts by a key of its own, and was seen to say so. */
  readonly encryptsItself: boolean;
  /** The origin that links lead to, for the content security policy of who follows them; undefined where there are none. */
  readonly linkOrigin: string | undefined;
  /** Writes an object, streaming. It can be seen only when it is whole; one that was there under the name is replaced. Answers its length in bytes. */
  readonly put: (name: string, body: Readable) => Promise<number>;
  /** Reads an object. Fails with `NOT_FOUND` when there is none. */
  readonly get: (name: string) => Promise<Readable>;
  /** Deletes an object and what is left of its being written. One that is not there counts as deleted. */
  readonly delete: (name: string) => Promise<void>;
  /** Makes a link by which anybody can fetch the object for so long, under a file name; undefined where the storage has none. */
  readonly link: ((name: string, options: { readonly seconds: number; readonly filename: string }) => Promise<StorageLink>) | undefined;
}
