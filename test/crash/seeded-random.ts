import { createHash } from 'node:crypto';

/** Chance that repeats: the same seed gives the same numbers. */
export interface SeededRandom {
  /** A number in [0, 1). */
  readonly fraction: () => number;
  /** A whole number in [0, count). */
  readonly int: (count: number) => number;
  readonly pick: <Item>(items: readonly Item[]) => Item;
  readonly chance: (probability: number) => boolean;
  readonly shuffle: <Item>(items: readonly Item[]) => readonly Item[];
  readonly bytes: (size: number) => Buffer;
  /** Another source for a part of the work, which the use of this one does not change. */
  readonly fork: (label: string) => SeededRandom;
}

/** Makes a source of a seed (sfc32, by Chris Doty-Humphrey). */
export function createSeededRandom(seed: string | number): SeededRandom {
  const start = createHash('sha256').update(String(seed)).digest();
  let [a, b, c, d] = [start.readInt32LE(0), start.readInt32LE(4), start.readInt32LE(8), 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  const fraction = (): number => next() / 2 ** 32;
  const int = (count: number): number => Math.floor(fraction() * count);
  return {
    fraction,
    int,
    pick: (items) => items[int(items.length)] as (typeof items)[number],
    chance: (probability) => fraction() < probability,
    shuffle: (items) => {
      const shuffled = [...items];
      for (let last = shuffled.length - 1; last > 0; last -= 1) {
        const other = int(last + 1);
        [shuffled[last], shuffled[other]] = [shuffled[other] as never, shuffled[last] as never];
      }
      return shuffled;
    },
    bytes: (size) => Buffer.from(Array.from({ length: size }, () => int(256))),
    fork: (label) => createSeededRandom(`${seed}/${label}`),
  };
}
