import type { Random } from '../../../platform/random.ts';

/** Crockford's base32: no letter that is taken for a digit. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Makes a reference that a person can read out: `Q-` and three groups of four, 60 random bits. Not a secret. */
export function newReference(random: Random): string {
  const characters = [...random.bytes(12)].map((byte) => alphabet[byte & 31] ?? '0').join('');
  return `Q-${characters.slice(0, 4)}-${characters.slice(4, 8)}-${characters.slice(8, 12)}`;
}
