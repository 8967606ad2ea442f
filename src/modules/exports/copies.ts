import type { Identifier } from '../../contract/identifiers.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';

/** How long a copy counts: the twelve months in which Cal. Civ. Code 1798.130(b) lets a consumer ask twice, and a sensible reading of "repetitive" in Art. 12(5) GDPR. */
export const yearMs = 365 * 86_400_000;

/** More identifiers than anybody has. */
const identifiersMax = 1000;

/** Keyed hashes of who a copy is for, in a space of their own: they match nothing that is stored of a request. */
export function copyHashes(keys: Pick<SystemKeys, 'mac'>, identifiers: readonly Identifier[]): readonly Buffer[] {
  const texts = new Set(identifiers.slice(0, identifiersMax).map(({ kind, value }) => `export_copy:${kind}:${value}`));
  return [...texts].map((text) => keys.mac('lookup', text));
}
