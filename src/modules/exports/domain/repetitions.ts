import { createHash } from 'node:crypto';
import type { RecordPlace } from './attachment.ts';

/** Hashes that are kept for one package: with their tasks 30 MB, and 45 MB while the last of them make room. */
export const hashesMax = 1_000_000;
/** Slots for each hash, so that a search ends soon. */
const slotsPerHash = 1.5;
const hashesFirst = 1024;
const wordsPerSlot = 5;

/** Which of a package's records are the same as one that another task gave before. */
export interface Repetitions {
  /** Looks at the next record, in the order of the pages. `unknown`: there were too many to remember, and it may be repeated. */
  readonly note: (place: RecordPlace, line: string) => 'new' | 'repeated' | 'unknown';
  /** Whether a record that was noted is a repetition. */
  readonly has: (place: RecordPlace) => boolean;
  /** Frees what only noting needs. */
  readonly end: () => void;
}

/** The first 16 bytes of a SHA-256 as numbers: no two records of a package have the same. */
function hashOf({ connection }: RecordPlace, line: string): Uint32Array {
  const bytes = createHash('sha256').update(`${connection}\n`).update(line, 'utf8').digest();
  return Uint32Array.of(bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8), bytes.readUInt32LE(12));
}

/** A table of hashes and the task that each came from first; outside of the engine's heap, and of a size that is known. */
function createHashTable(max: number) {
  let room = Math.min(hashesFirst, max);
  let slots = Math.ceil(room * slotsPerHash);
  let table = new Uint32Array(slots * wordsPerSlot);
  let count = 0;
  /** The place of a hash, or the empty one where it would be. A task is never 0, so that 0 is an empty place. */
  const placeOf = (hash: Uint32Array): number => {
    for (let slot = (hash[0] ?? 0) % slots; ; slot = (slot + 1) % slots) {
      const at = slot * wordsPerSlot;
      if (table[at + 4] === 0 || hash.every((word, index) => table[at + index] === word)) return at;
    }
  };
  const put = (hash: Uint32Array, task: number): void => {
    const at = placeOf(hash);
    table.set(hash, at);
    table[at + 4] = task;
  };
  const grow = (): void => {
    const before = table;
    room = Math.min(room * 2, max);
    slots = Math.ceil(room * slotsPerHash);
    table = new Uint32Array(slots * wordsPerSlot);
    for (let at = 0; at < before.length; at += wordsPerSlot) if (before[at + 4] !== 0) put(before.subarray(at, at + 4), before[at + 4] ?? 0);
  };
  return {
    /** The task that a hash came from first; undefined where it is not known. */
    taskOf: (hash: Uint32Array): number | undefined => {
      const task = table[placeOf(hash) + 4];
      return task === 0 ? undefined : task;
    },
    /** Answers false when it is full. */
    add: (hash: Uint32Array, task: number): boolean => {
      if (count === max) return false;
      if (count === room) grow();
      put(hash, task);
      count += 1;
      return true;
    },
  };
}

/**
 * Finds records that a system gave for one of the person's identifiers and again for another. Equal records of the same task stay: there the system has two.
 * `readTwice` are the systems that more than one task read; only theirs are looked at.
 */
export function createRepetitions(readTwice: ReadonlySet<string>, max = hashesMax): Repetitions {
  let hashes: ReturnType<typeof createHashTable> | undefined;
  // A bit for each record of a page that has any.
  const pages = new Map<string, Uint8Array>();
  const pageOf = ({ task, ordinal }: RecordPlace): string => `${task}:${ordinal}`;
  const mark = (place: RecordPlace): void => {
    const byte = place.index >> 3;
    const before = pages.get(pageOf(place));
    let bits = before ?? new Uint8Array(byte + 1);
    if (bits.length <= byte) {
      bits = new Uint8Array(Math.max(byte + 1, bits.length * 2));
      bits.set(before ?? []);
    }
    bits[byte] = (bits[byte] ?? 0) | (1 << (place.index & 7));
    pages.set(pageOf(place), bits);
  };
  return {
    note: (place, line) => {
      if (!readTwice.has(place.connection)) return 'new';
      hashes ??= createHashTable(max);
      const hash = hashOf(place, line);
      const task = hashes.taskOf(hash);
      if (task === undefined) return hashes.add(hash, place.task) ? 'new' : 'unknown';
      if (task === place.task) return 'new';
      mark(place);
      return 'repeated';
    },
    has: (place) => (((pages.get(pageOf(place))?.[place.index >> 3] ?? 0) >> (place.index & 7)) & 1) === 1,
    end: () => {
      hashes = undefined;
    },
  };
}
