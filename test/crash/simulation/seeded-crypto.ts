import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import type { SeededRandom } from '../seeded-random.ts';

let source: SeededRandom | undefined;
const bytes = (size: number): Buffer => {
  if (source === undefined) throw new Error('The seeded source was not set');
  return source.bytes(size);
};

/** Has everything that the process draws by chance come from a seed: keys, ids, nonces. Only in a simulation, whose keys protect nothing. */
export function seedCrypto(random: SeededRandom): void {
  const isFirst = source === undefined;
  source = random;
  if (!isFirst) return;
  Object.assign(crypto, { randomBytes: bytes, randomInt: (max: number) => random.int(max), randomUUID: () => uuidOf(bytes(16)) });
  globalThis.crypto.getRandomValues = (array) => {
    if (array !== null) new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(bytes(array.byteLength));
    return array;
  };
  syncBuiltinESMExports();
}

function uuidOf(random: Buffer): string {
  random[6] = ((random[6] ?? 0) & 0x0f) | 0x40;
  random[8] = ((random[8] ?? 0) & 0x3f) | 0x80;
  const hex = random.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
