import { decodeUtf8 } from './base64.ts';
import { asRecord, parseJson } from './canonical-json.ts';
import { hashBytes } from './merkle.ts';
import { refuse, type Checked, type Refusal } from './result.ts';
import { entryBytesMax } from './tiles.ts';

/** What every audit entry carries; the rest of its fields depend on its type. */
export interface AuditEntryHead {
  /** The log that the entry belongs to: its origin. An entry of another log is a splice. */
  readonly log: string;
  /** The entry's place, from 0. */
  readonly seq: number;
  /** The hash of the row before, in hex; 64 zeros for the first. */
  readonly prev: string;
  readonly event_id: string;
  readonly type: string;
  /** When it happened, ISO 8601 in UTC. */
  readonly at: string;
}

/** `prev` of the first entry. */
export const firstPrev: string = '0'.repeat(hashBytes * 2);

const hexHash = /^[0-9a-f]{64}$/u;
const isoUtc = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/u;

const badEntry = (why: string): Refusal => refuse('entry', `The entry ${why}`);

/** Reads an entry's exact bytes. They are hashed as they stand, and never written anew to be verified. */
export function parseEntry(
  bytes: Uint8Array,
): Checked<{ readonly entry: AuditEntryHead; readonly fields: Readonly<Record<string, unknown>> }> {
  if (bytes.length === 0 || bytes.length > entryBytesMax) return badEntry('is empty or longer than 65,535 bytes');
  const text = decodeUtf8(bytes);
  const parsed = text === undefined ? undefined : parseJson(text);
  const fields = parsed === undefined ? undefined : asRecord(parsed.value);
  if (fields === undefined) return badEntry('is not a JSON object in UTF-8');
  const { log, seq, prev, event_id: eventId, type, at } = fields;
  if (typeof log !== 'string' || log === '') return badEntry('does not name its log');
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 0) return badEntry('has no sequence number');
  if (typeof prev !== 'string' || !hexHash.test(prev)) return badEntry('has no hash of the row before');
  if (typeof eventId !== 'string' || eventId === '') return badEntry('has no event id');
  if (typeof type !== 'string' || type === '') return badEntry('has no type');
  if (typeof at !== 'string' || !isoUtc.test(at)) return badEntry('has no time');
  return { ok: true, entry: { log, seq, prev, event_id: eventId, type, at }, fields };
}
