import type { ConnectorContext } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import { idTypesOf, type IdType, type SegmentConfig } from './config.ts';
import { readExternalIds, type ExternalId } from './profile-api.ts';

/** What looking for one identifier came to. */
export interface ProfileLook {
  readonly identifier: Identifier;
  /** The identifiers of its profile in our kinds, as Segment writes them; undefined when there is no profile. */
  readonly profile: readonly Identifier[] | undefined;
}

/** Two writings of one identifier meet here, since Segment compares without case. */
export function looseKey({ kind, value }: Identifier): string {
  return `${kind}:${value.toLowerCase()}`;
}

/**
 * Looks for each identifier in turn, under every id type of its kind, and yields what it saw.
 * An identifier that a profile found before already holds is not asked for again, so that a profile with 1,000 identifiers costs ten calls.
 */
export async function* searchProfiles(context: ConnectorContext, config: SegmentConfig, identifiers: readonly Identifier[]): AsyncGenerator<ProfileLook> {
  const types = idTypesOf(config);
  const seen = new Map<string, readonly Identifier[]>();
  for (const identifier of identifiers) {
    let profile = seen.get(looseKey(identifier));
    if (profile === undefined) {
      const found = new Map<string, Identifier>();
      let isThere = false;
      for (const { type } of types.filter(({ kind }) => kind === identifier.kind)) {
        for (const value of spellingsOf(identifier)) {
          const ids = await readExternalIds(context, config, type, value);
          if (ids === undefined) continue;
          isThere = true;
          for (const each of toIdentifiers(types, ids)) found.set(`${each.kind}:${each.value}`, each);
        }
      }
      profile = isThere ? [...found.values()] : undefined;
      if (profile !== undefined) for (const each of profile) seen.set(looseKey(each), profile);
    }
    yield { identifier, profile };
  }
}

/**
 * The normal form, and the one that was given where Segment would tell them apart. A phone as given counts only with its country code: without
 * it the same digits may be somebody else's.
 */
export function spellingsOf({ kind, value, raw }: Identifier): readonly string[] {
  const given = raw?.trim() ?? '';
  const isUsable = given !== '' && given.toLowerCase() !== value.toLowerCase() && (kind !== 'phone' || given.startsWith('+'));
  return isUsable ? [value, given] : [value];
}

/**
 * External ids in our kinds and normal forms. Types that are not configured are left out, and so are a phone that is not E.164 and an
 * e-mail that is none: handed on as they are, `5550101` or `unknown` could meet another person at the next vendor.
 */
function toIdentifiers(types: readonly IdType[], ids: readonly ExternalId[]): Identifier[] {
  return ids.flatMap(({ type, id }) => {
    const kind = types.find((each) => each.type === type)?.kind;
    const value = kind === undefined ? undefined : normalForm(kind, id);
    return kind === undefined || value === undefined ? [] : [{ kind, value }];
  });
}

function normalForm(kind: Identifier['kind'], id: string): string | undefined {
  const trimmed = id.trim();
  if (kind === 'email') return /^[^\s@]+@[^\s@]+$/u.test(trimmed) ? trimmed.normalize('NFC').toLowerCase() : undefined;
  if (kind === 'phone') {
    const digits = trimmed.replaceAll(/[\s().-]/gu, '');
    return /^\+[1-9]\d{6,14}$/u.test(digits) ? digits : undefined;
  }
  return trimmed === '' ? undefined : id;
}
