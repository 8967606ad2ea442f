import { createHash } from 'node:crypto';
import type { Identifier } from '../../contract/identifiers.ts';
import type { GenesysConfig } from './config.ts';

type Variant = GenesysConfig['variants'][number];

/**
 * Every external id by which Genesys may know the person under this identifier, the likeliest first. Genesys compares exact strings, so what is
 * not written here to the letter is not found; and nothing is guessed: `ab12` may be another person than `AB12`.
 */
export function externalIdsOf(config: GenesysConfig, { kind, value }: Identifier): readonly string[] {
  const main = kind === 'external_id' ? [write(value, config.external_id)] : [];
  // The id without the prefix of today's system: an earlier one may have put its own in front.
  const bare = kind === 'external_id' ? withoutPrefix(value, config.external_id.prefix) : value;
  return [...new Set([...main, ...config.variants.filter((each) => each.of === kind).map((variant) => write(bare, variant))])];
}

function write(value: string, how: Pick<Variant, 'prefix' | 'case' | 'hash'>): string {
  const bare = withoutPrefix(value, how.prefix);
  const spelt = how.case === 'upper' ? bare.toUpperCase() : how.case === 'lower' ? bare.toLowerCase() : bare;
  return how.prefix + (how.hash === undefined ? spelt : createHash(how.hash).update(bare.toLowerCase()).digest('hex'));
}

/** A prefix that is there already, in whatever case, is not put there twice. */
function withoutPrefix(value: string, prefix: string): string {
  return prefix !== '' && value.length > prefix.length && value.slice(0, prefix.length).toLowerCase() === prefix.toLowerCase() ? value.slice(prefix.length) : value;
}
