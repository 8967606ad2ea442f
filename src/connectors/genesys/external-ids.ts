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
  const spelt = how.case === 'upper' ? upper(bare) : how.case === 'lower' ? lower(bare) : bare;
  return how.prefix + (how.hash === undefined ? spelt : createHash(how.hash).update(lower(bare)).digest('hex'));
}

/** Letters of ASCII only: `maß` and `MASS` are two ids, and Unicode's upper case would make them one. */
const upper = (value: string): string => value.replaceAll(/[a-z]/gu, (letter) => letter.toUpperCase());
const lower = (value: string): string => value.replaceAll(/[A-Z]/gu, (letter) => letter.toLowerCase());

/** True for a prefix that can be told from the id behind it. With `C`, which ends in a letter, `C100` may be the id `100` or the id `C100`. */
export function endsClearly(prefix: string): boolean {
  return prefix === '' || /[^A-Za-z0-9]$/u.test(prefix);
}

/** A prefix that is there already, in whatever case, is not put there twice; unless it may be part of the id itself. */
function withoutPrefix(value: string, prefix: string): string {
  const isThere = prefix !== '' && endsClearly(prefix) && value.length > prefix.length && lower(value.slice(0, prefix.length)) === lower(prefix);
  return isThere ? value.slice(prefix.length) : value;
}
