import type { Identifier } from '../../contract/identifiers.ts';
import type { VaultIdentifier } from '../identity/index.ts';

/** An identifier as a connector gets it: what it is called, and nothing of how it was found. */
export function plainIdentifier({ kind, value, raw }: VaultIdentifier): Identifier {
  return { kind, value, ...(raw === undefined ? {} : { raw }) };
}
