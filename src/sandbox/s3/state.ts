import { z } from 'zod';

const lockSchema = z.strictObject({ mode: z.enum(['COMPLIANCE', 'GOVERNANCE']).optional(), retain_until: z.iso.datetime().optional(), legal_hold: z.boolean().optional() });

/** What can be planted in the S3 simulator. */
export const s3SeedSchema = z.strictObject({
  account: z
    .strictObject({
      /** What a page holds at most, whatever is asked for. */
      page_size: z.int().positive().optional(),
      /** Permissions that the key lacks: `s3:DeleteObjectVersion`. */
      denied: z.array(z.string()).optional(),
      /** Whether a server-side encryption that is asked for is done, and said. */
      encrypts: z.boolean().optional(),
    })
    .optional(),
  buckets: z.array(z.strictObject({ name: z.string(), versioning: z.boolean().optional(), object_lock: z.boolean().optional() })).optional(),
  objects: z
    .array(
      z.strictObject({
        bucket: z.string(),
        key: z.string(),
        body: z.string().optional(),
        content_type: z.string().optional(),
        /** A delete marker instead of a version. */
        marker: z.boolean().optional(),
        lock: lockSchema.optional(),
        storage_class: z.string().optional(),
      }),
    )
    .optional(),
  uploads: z.array(z.strictObject({ bucket: z.string(), key: z.string() })).optional(),
});
/** The seed of the S3 simulator, before it is checked. */
export type S3Seed = z.input<typeof s3SeedSchema>;

/** One version of an object, or a delete marker. */
export interface Version {
  readonly key: string;
  /** `null` in a bucket without versions. */
  readonly versionId: string;
  readonly at: number;
  /** Counts up: which of two of the same name is the newer. */
  readonly order: number;
  readonly isMarker: boolean;
  readonly body: Buffer;
  readonly contentType: string;
  readonly storageClass: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly lock?: z.output<typeof lockSchema> | undefined;
}

/** An upload in parts that was not finished. */
export interface MultipartUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly at: number;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: Map<number, Buffer>;
}

/** A bucket. */
export interface Bucket {
  readonly name: string;
  readonly versioning: boolean;
  readonly objectLock: boolean;
  versions: Version[];
  uploads: MultipartUpload[];
}

/** Everything that one simulated S3 holds. */
export interface S3State {
  readonly buckets: Map<string, Bucket>;
  account: { page_size: number; denied: readonly string[]; encrypts: boolean };
  next: number;
}

/** S3 with nothing in it. */
export function createS3State(): S3State {
  return { buckets: new Map(), account: { page_size: 1000, denied: [], encrypts: true }, next: 1 };
}

/** S3's order: by the bytes of the name, and the newest first within one. */
export function byNameAndAge(one: Version, other: Version): number {
  const names = Buffer.compare(Buffer.from(one.key), Buffer.from(other.key));
  return names === 0 ? other.order - one.order : names;
}

/** The newest entry of a name, be it a marker. */
export function currentOf(bucket: Bucket, key: string): Version | undefined {
  return bucket.versions.filter((each) => each.key === key).toSorted(byNameAndAge)[0];
}

/** Stores a version: beside the others in a bucket with versions, in place of the `null` version in one without. */
export function putVersion(state: S3State, bucket: Bucket, what: Omit<Version, 'versionId' | 'order'>): Version {
  const order = state.next;
  state.next += 1;
  const versionId = bucket.versioning ? `v${String(order).padStart(8, '0')}` : 'null';
  const version: Version = { ...what, versionId, order };
  bucket.versions = [...bucket.versions.filter((each) => each.key !== what.key || each.versionId !== versionId), version];
  return version;
}

/** Plants buckets, objects and unfinished uploads; answers what was made. */
export function plantS3(state: S3State, data: unknown, now: number): unknown {
  const seed = s3SeedSchema.parse(data);
  state.account = { page_size: seed.account?.page_size ?? state.account.page_size, denied: seed.account?.denied ?? state.account.denied, encrypts: seed.account?.encrypts ?? state.account.encrypts };
  for (const { name, versioning = false, object_lock: objectLock = false } of seed.buckets ?? []) {
    state.buckets.set(name, { name, versioning: versioning || objectLock, objectLock, versions: [], uploads: [] });
  }
  const bucketOf = (name: string): Bucket => {
    const bucket = state.buckets.get(name);
    if (bucket === undefined) throw new Error(`There is no bucket ${name}`);
    return bucket;
  };
  const versions = (seed.objects ?? []).map(({ bucket, key, body = '', content_type: contentType = 'binary/octet-stream', marker: isMarker = false, lock, storage_class: storageClass = 'STANDARD' }) =>
    putVersion(state, bucketOf(bucket), { key, at: now, isMarker, body: Buffer.from(body), contentType, storageClass, headers: {}, lock }),
  );
  for (const { bucket, key } of seed.uploads ?? []) {
    bucketOf(bucket).uploads.push({ key, uploadId: `upload-${state.next}`, at: now, contentType: 'binary/octet-stream', headers: {}, parts: new Map([[1, Buffer.from('part')]]) });
    state.next += 1;
  }
  return { versions: versions.map(({ key, versionId }) => ({ key, version_id: versionId })) };
}

/** What is stored, without what the objects hold. */
export function dumpS3(state: S3State): unknown {
  return {
    buckets: [...state.buckets.values()].map(({ name, versions, uploads }) => ({
      name,
      versions: versions.map(({ key, versionId, isMarker, body }) => ({ key, version_id: versionId, is_marker: isMarker, bytes: body.length })),
      uploads: uploads.map(({ key, uploadId }) => ({ key, upload_id: uploadId })),
    })),
  };
}
