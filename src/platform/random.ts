import { randomBytes, randomInt } from 'node:crypto';

/** Gives unpredictable numbers. Injected, so that a seeded run can be repeated. */
export interface Random {
  readonly bytes: (size: number) => Buffer;
  /** A number in [0, 1), for jitter. */
  readonly fraction: () => number;
  /** A code of this many decimal digits, leading zeros included. */
  readonly digits: (count: number) => string;
}

/** The operating system's source. */
export const systemRandom: Random = {
  bytes: (size) => randomBytes(size),
  fraction: () => randomInt(2 ** 40) / 2 ** 40,
  digits: (count) => String(randomInt(10 ** count)).padStart(count, '0'),
};
