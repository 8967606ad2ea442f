import { z } from 'zod';

const base64 = z.string().regex(/^[A-Za-z0-9+/]+={0,2}$/u);

/**
 * A key of the log, at one station of its life. `announced`: named in the log, and not signing yet. `current`: signs every head. `leaving`: signs
 * beside the current one until `until`. `retired`: signs no more, its secret half is destroyed, and its public half counts for heads up to
 * `last_size` rows.
 */
const ringKeySchema = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('announced'), seed: base64, event_id: z.uuid(), overlap_ms: z.int().nonnegative() }),
  z.strictObject({ state: z.literal('current'), seed: base64 }),
  z.strictObject({ state: z.literal('leaving'), seed: base64, until: z.int() }),
  z.strictObject({ state: z.literal('retired'), verifier_key: z.string(), last_size: z.int().nonnegative() }),
]);
const ringSchema = z.strictObject({ version: z.literal(1), keys: z.array(ringKeySchema) });

/** One key of the ring. */
export type RingKey = z.infer<typeof ringKeySchema>;
/** All keys that the log ever had, the oldest first: one of them is `current`, and at most one `announced`. */
export type KeyRing = readonly RingKey[];

/** Bytes of an Ed25519 seed: what the ring of a log is before its first rotation. */
const seedBytes = 32;

/** Reads the ring as it is kept, sealed, among the system keys. Throws when it is none. */
export function parseKeyRing(plain: Buffer): KeyRing {
  if (plain.length === seedBytes) return [{ state: 'current', seed: plain.toString('base64') }];
  const { keys } = ringSchema.parse(JSON.parse(plain.toString('utf8')));
  const count = (state: RingKey['state']): number => keys.filter((key) => key.state === state).length;
  if (count('current') !== 1 || count('announced') > 1) throw new Error('The ring of the keys of the log does not have one current key');
  return keys;
}

/** Gives the ring as it is kept. */
export function formatKeyRing(ring: KeyRing): Buffer {
  return Buffer.from(JSON.stringify({ version: 1, keys: ring }), 'utf8');
}

/** Adds a key that will sign once the entry of this event, which names it, is under a signed head; undefined while another one waits for that. */
export function announceKey(ring: KeyRing, seed: Buffer, eventId: string, overlapMs: number): KeyRing | undefined {
  if (ring.some((key) => key.state === 'announced')) return undefined;
  return [...ring, { state: 'announced', seed: seed.toString('base64'), event_id: eventId, overlap_ms: overlapMs }];
}

/** Has the announced key sign from now on, and the one before sign beside it for as long as the announcement said. */
export function useAnnouncedKey(ring: KeyRing, now: number): KeyRing {
  const announced = ring.find((key) => key.state === 'announced');
  if (announced === undefined) return ring;
  return ring.map((key): RingKey => {
    if (key.state === 'current') return { state: 'leaving', seed: key.seed, until: now + announced.overlap_ms };
    return key === announced ? { state: 'current', seed: key.seed } : key;
  });
}

/** Retires a key that is leaving: forgets its secret half. */
export function retireKey(ring: KeyRing, leaving: RingKey, verifierKey: string, lastSize: number): KeyRing {
  return ring.map((key) => (key === leaving ? { state: 'retired', verifier_key: verifierKey, last_size: lastSize } : key));
}
