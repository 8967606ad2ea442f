import { z } from 'zod';
import { Failure, type ConnectorContext } from '../../connector-kit/index.ts';
import type { SegmentConfig } from './config.ts';
import { readAnswer, readJson, refusal } from './read-answer.ts';

/** An identifier of a profile as Segment writes it. */
export interface ExternalId {
  readonly type: string;
  readonly id: string;
}

/** The most that a page of external ids or events may hold; a profile has up to 1,000 identifiers (Segment, Profile API). */
export const pageSizeMax = 100;
/** Ten times the documented size of a profile: more pages than this are a vendor that counts in circles. */
const pagesMax = 100;

const externalIdsSchema = z.object({ data: z.array(z.looseObject({ type: z.string(), id: z.string() })) });
const cursorSchema = z.object({ cursor: z.object({ has_more: z.boolean().optional(), next: z.string().nullish() }).nullish() });
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

/** A profile by one of its external ids. */
export interface ProfileRef {
  readonly type: string;
  readonly value: string;
}

/** One page of a part of a profile; `next` names the one after it. */
export interface ProfilePage<Body> {
  readonly body: Body;
  readonly next: string | undefined;
}

/**
 * Reads one page of a part of a profile (`external_ids`, `traits`, `events`, `links`, `metadata`), or undefined when Segment knows no such profile.
 * The value is sent in lower case, as Segment wants its queries. A 404 counts as a miss only in the Profile API's own words
 * (`not_found`): one from a proxy would otherwise pass for proof of absence. Throws the vendor failures.
 */
export async function readProfilePart<Body>(
  context: ConnectorContext,
  config: SegmentConfig,
  { type, value }: ProfileRef,
  { part, limit, next, schema }: { readonly part: string; readonly limit?: number; readonly next?: string | undefined; readonly schema: z.ZodType<Body> },
): Promise<ProfilePage<Body> | undefined> {
  const query = new URLSearchParams({ ...(limit === undefined ? {} : { limit: String(limit) }), ...(next === undefined ? {} : { next }) }).toString();
  const response = await context.fetch(`${spaceUrl(config)}/collections/users/profiles/${type}:${escapeValue(value.toLowerCase())}/${part}${query === '' ? '' : `?${query}`}`, {
    headers: { authorization: authorization(config), accept: 'application/json' },
  });
  if (response.status === 404 && (await isMiss(response))) return undefined;
  if (response.status !== 200) throw refusal(response, context.now());
  const answer = await readAnswer(response, z.unknown());
  const [body, paging] = [schema.safeParse(answer), cursorSchema.safeParse(answer)];
  if (!body.success || !paging.success) throw new Failure('VENDOR_MALFORMED', 'Segment answered 200 with a body of another shape than documented');
  const { has_more: hasMore, next: following } = paging.data.cursor ?? {};
  const named = following ?? '';
  if (hasMore === true && named === '') throw new Failure('VENDOR_MALFORMED', 'Segment promised more pages and named none');
  if (named !== '' && hasMore !== false && named === next) throw new Failure('VENDOR_MALFORMED', 'Segment answered the same page twice');
  return { body: body.data, next: hasMore === false || named === '' ? undefined : named };
}

/** Every external id of the profile that has this one, over all pages, or undefined when Segment knows no such profile. */
export async function readExternalIds(context: ConnectorContext, config: SegmentConfig, type: string, value: string): Promise<readonly ExternalId[] | undefined> {
  const ids: ExternalId[] = [];
  const seen = new Set<string>();
  let next: string | undefined;
  for (let page = 1; page <= pagesMax; page += 1) {
    const read = await readProfilePart(context, config, { type, value }, { part: 'external_ids', limit: pageSizeMax, next, schema: externalIdsSchema });
    // A profile that vanishes between two of its pages is still read as found: what was seen, was seen.
    if (read === undefined) return page === 1 ? undefined : ids;
    ids.push(...read.body.data);
    if (read.next === undefined) return ids;
    if (seen.has(read.next)) throw new Failure('VENDOR_MALFORMED', 'Segment answered the same page twice');
    seen.add(read.next);
    next = read.next;
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
