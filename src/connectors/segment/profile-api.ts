import { z } from 'zod';
import { Failure, type ConnectorContext } from '../../connector-kit/index.ts';
import type { SegmentConfig } from './config.ts';
import { readAnswer, readJson, refusal } from './read-answer.ts';

/** An identifier of a profile as Segment writes it. */
export interface ExternalId {
  readonly type: string;
  readonly id: string;
}

/** The most that a page may hold; a profile has up to 1,000 identifiers (Segment, Profile API). */
const pageSizeMax = 100;
/** Ten times the documented size of a profile: more pages than this are a vendor that counts in circles. */
const pagesMax = 100;

const pageSchema = z.object({
  data: z.array(z.object({ type: z.string(), id: z.string() })),
  cursor: z.object({ has_more: z.boolean().optional(), next: z.string().nullish() }).optional(),
});
const problemSchema = z.object({ error: z.object({ code: z.string() }) });
const identifySchema = z.object({ profile_id: z.string().min(1).max(500).nullable() });

function authorization(config: SegmentConfig): string {
  return `Basic ${Buffer.from(`${config.profile_api.token}:`).toString('base64')}`;
}

function spaceUrl(config: SegmentConfig): string {
  return `${config.profile_api.base_url}/v1/spaces/${encodeURIComponent(config.profile_api.space_id)}`;
}

/** Escapes more than `encodeURIComponent` does: characters that the Profile API is not given escaped may be answered with 500. */
function escapeValue(value: string): string {
  return encodeURIComponent(value).replaceAll(/[!'()*]/gu, (character) => `%${character.codePointAt(0)?.toString(16).toUpperCase()}`);
}

/**
 * Every external id of the profile that has this one, over all pages, or undefined when Segment knows no such profile.
 * The value is sent in lower case, as Segment wants its queries. A 404 counts as a miss only in the Profile API's own words
 * (`not_found`): one from a proxy would otherwise pass for proof of absence. Throws the vendor failures.
 */
export async function readExternalIds(context: ConnectorContext, config: SegmentConfig, type: string, value: string): Promise<readonly ExternalId[] | undefined> {
  const base = `${spaceUrl(config)}/collections/users/profiles/${type}:${escapeValue(value.toLowerCase())}/external_ids?limit=${pageSizeMax}`;
  const ids: ExternalId[] = [];
  const seen = new Set<string>();
  let next = '';
  for (let page = 1; page <= pagesMax; page += 1) {
    const response = await context.fetch(next === '' ? base : `${base}&next=${encodeURIComponent(next)}`, {
      headers: { authorization: authorization(config), accept: 'application/json' },
    });
    if (response.status === 404 && (await isMiss(response))) {
      // A profile that vanishes between two of its pages is still read as found: what was seen, was seen.
      return page === 1 ? undefined : ids;
    }
    if (response.status !== 200) throw refusal(response, context.now());
    const { data, cursor } = await readAnswer(response, pageSchema);
    ids.push(...data);
    const following = cursor?.next ?? '';
    if (cursor?.has_more === true && following === '') throw new Failure('VENDOR_MALFORMED', 'Segment promised more pages and named none');
    if (cursor?.has_more === false || following === '') return ids;
    if (seen.has(following)) throw new Failure('VENDOR_MALFORMED', 'Segment answered the same page twice');
    seen.add(following);
    next = following;
  }
  throw new Failure('VENDOR_MALFORMED', `Segment answered more than ${pagesMax} pages for one profile`);
}

async function isMiss(response: Response): Promise<boolean> {
  const parsed = problemSchema.safeParse(await readJson(response));
  if (parsed.success && parsed.data.error.code === 'not_found') return true;
  throw new Failure('VENDOR_MALFORMED', 'A 404 came that is not the Profile API speaking; check profile_api.base_url');
}

/**
 * Asks by the literal `POST …/users/identify` which profile an e-mail address and a phone number belong to; undefined when the answer is none.
 * The real endpoint writes: it makes or merges profiles. Only for connections configured with `form: identify`.
 */
export async function identify(context: ConnectorContext, config: SegmentConfig, traits: { email?: string; phone?: string }): Promise<string | undefined> {
  const response = await context.fetch(`${spaceUrl(config)}/users/identify`, {
    method: 'POST',
    headers: { authorization: authorization(config), accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify({ traits }),
  });
  if (response.status === 404 && (await isMiss(response))) return undefined;
  if (response.status !== 200 && response.status !== 201) throw refusal(response, context.now());
  return (await readAnswer(response, identifySchema)).profile_id ?? undefined;
}
