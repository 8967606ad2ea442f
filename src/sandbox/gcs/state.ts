import { createHash } from 'node:crypto';
import { z } from 'zod';
import { crc32c } from './crc32c.ts';

/** The one bucket that there is. */
export const bucketName = 'exports-bucket';

/** One generation of an object. */
export interface Generation {
  readonly generation: string;
  readonly body: Buffer;
  readonly kmsKeyName: string | undefined;
  readonly isLive: boolean;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly contentType: string;
  readonly hold?: 'temporary' | 'event' | undefined;
  /** Until when it is retained, and by what. */
  readonly retained?: { readonly by: 'object' | 'policy'; readonly until: string } | undefined;
}

/** A generation that was deleted and can be restored for a time. */
export interface SoftDeleted {
  readonly name: string;
  readonly generation: Generation;
  readonly at: number;
  readonly hardDeleteAt: number;
}

/** What was uploaded so far of an object. */
export interface ResumableUpload {
  readonly name: string;
  readonly kmsKeyName: string | undefined;
  body: Buffer;
}

/** What a test may set. */
export interface GcsSettings {
  versioning: boolean;
  /** Whether a retention policy holds: deleting is refused. */
  locked: boolean;
  /** Whether a key of Cloud KMS that is asked for is used, and said. */
  encrypts: boolean;
  /** How long what was deleted can be restored; 0 for no such policy. Google's default is seven days. */
  soft_delete_seconds: number;
  /** What a page holds at most, whatever is asked for. */
  page_size: number;
  /** Whether the account lacks `storage.objects.delete`. */
  forbids_deleting: boolean;
}

/** Everything that the bucket holds. */
export interface GcsState {
  /** By name; the newest generation first. */
  readonly objects: Map<string, Generation[]>;
  readonly uploads: Map<string, ResumableUpload>;
  softDeleted: SoftDeleted[];
  settings: GcsSettings;
  generations: number;
}

/** A bucket with nothing in it. */
export function createGcsState(): GcsState {
  return {
    objects: new Map(),
    uploads: new Map(),
    softDeleted: [],
    settings: { versioning: false, locked: false, encrypts: true, soft_delete_seconds: 604_800, page_size: 1000, forbids_deleting: false },
    generations: 0,
  };
}

const seedSchema = z.object({
  settings: z.custom<Partial<GcsSettings>>().optional(),
  objects: z
    .array(
      z.strictObject({
        name: z.string(),
        body: z.string().optional(),
        content_type: z.string().optional(),
        hold: z.enum(['temporary', 'event']).optional(),
        retained: z.strictObject({ by: z.enum(['object', 'policy']), until: z.iso.datetime() }).optional(),
      }),
    )
    .optional(),
});
/** The seed of the simulator, before it is checked. */
export type GcsSeed = z.input<typeof seedSchema>;

/** Stores a generation over those that are there; where the bucket has no versions, in their place. */
export function putGeneration(state: GcsState, name: string, what: Omit<Generation, 'generation' | 'isLive'>): Generation {
  state.generations += 1;
  const made: Generation = { ...what, generation: String(state.generations), isLive: true };
  const before = state.settings.versioning ? (state.objects.get(name) ?? []).map((each) => ({ ...each, isLive: false })) : [];
  state.objects.set(name, [made, ...before]);
  return made;
}

/** Sets what a test may set and plants objects. */
export function plantGcs(state: GcsState, data: unknown, now: number): void {
  const { settings, objects = [] } = seedSchema.parse(data);
  state.settings = { ...state.settings, ...settings };
  for (const { name, body = '', content_type: contentType = 'application/octet-stream', hold, retained } of objects) {
    putGeneration(state, name, { body: Buffer.from(body), kmsKeyName: undefined, at: now, contentType, hold, retained });
  }
}

/** An object's resource, as the JSON API shows it. */
export function metadataOf(name: string, { generation, body, kmsKeyName, at, isLive, contentType, hold, retained }: Generation): object {
  const iso = new Date(at).toISOString();
  return {
    kind: 'storage#object',
    id: `${bucketName}/${name}/${generation}`,
    bucket: bucketName,
    name,
    generation,
    metageneration: '1',
    size: String(body.length),
    contentType,
    timeCreated: iso,
    updated: iso,
    crc32c: crc32c(body),
    md5Hash: createHash('md5').update(body).digest('base64'),
    ...(isLive ? {} : { timeDeleted: iso }),
    ...(kmsKeyName === undefined ? {} : { kmsKeyName: `${kmsKeyName}/cryptoKeyVersions/1` }),
    ...(hold === 'temporary' ? { temporaryHold: true } : {}),
    ...(hold === 'event' ? { eventBasedHold: true } : {}),
    ...(retained?.by === 'object' ? { retention: { mode: 'Locked', retainUntilTime: retained.until } } : {}),
    ...(retained?.by === 'policy' ? { retentionExpirationTime: retained.until } : {}),
  };
}
