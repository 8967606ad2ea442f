import { Failure, type EraseContext, type EraseResult } from '../../connector-kit/index.ts';
import type { Residue } from '../../contract/outcomes.ts';
import { namesOf } from './find-subjects.ts';
import { createRequest, listRequests, readRequest, type GdprRequest, type RequestType, type Term } from './gdpr-api.ts';
import { toJson, type GdprCursor, type Part } from './gdpr-cursor.ts';
import type { Gateway } from './gateway.ts';

const minuteMs = 60_000;
const hourMs = 3_600_000;
/** How far Genesys' clock may be behind ours before a request of this erasure would be taken for an older one. */
const clockSkewMs = 5 * minuteMs;
/** How long a request whose creation was not answered gets to appear in the list. */
const appearMs = 30_000;
/** A request that is not found this soon after its creation may only not be visible yet. */
const visibleMs = 10 * minuteMs;

/** 200,000 requests of one organisation: a list that goes on after that has no end. */
const pagesMax = 2000;

/** When to look at a request again, given its age: it takes days, and 300 calls a minute are for everything that the client does. */
export function pollAfterMs(ageMs: number): number {
  return Math.min(hourMs, Math.max(minuteMs, Math.floor(ageMs / 8)));
}

/** What the requests are for, and what it comes to when all of them are completed. */
export interface Work {
  readonly type: RequestType;
  readonly outcome: 'erased' | 'corrected';
  readonly residue: readonly Residue[];
}

/** What following needs of a step. */
export type Following = Omit<EraseContext, 'action'>;

const termsKey = (terms: readonly { readonly [Key in keyof Term]?: string | null | undefined }[]): string =>
  JSON.stringify(terms.map(({ type, existingValue, updatedValue }) => JSON.stringify([type, existingValue, updatedValue])).toSorted());

/** A request of the same subject that replaces something else is another correction's. */
const sameTerms = ({ replacementTerms }: GdprRequest, { terms }: Part): boolean => terms === undefined || termsKey(terms) === termsKey(replacementTerms ?? []);

const isUnanswered = (part: Part): boolean => part.posted && part.request === undefined;

/**
 * Goes on with what was kept: looks through the organisation's requests for ones of these parts that were made already, makes those that are missing, and
 * follows all of them. There is no idempotency key, so the intent is kept before a request is made.
 */
export async function followRequests(context: Following, gateway: Gateway, kept: GdprCursor, work: Work): Promise<EraseResult> {
  let cursor = kept;
  while (cursor.page !== undefined) {
    cursor = await lookThrough(context, gateway, cursor, { page: cursor.page, work });
    if (cursor.page !== undefined && context.shouldYield()) return { state: 'continue', cursor: toJson(cursor) };
  }
  if (cursor.parts.some(isUnanswered) && !cursor.waited) {
    return { state: 'wait', cursor: toJson({ ...cursor, page: 1, waited: true }), afterMs: appearMs, reason: 'not_visible_yet' };
  }
  // What may have been made and is not listed by now was not made; what is made from here on gets its own time to appear.
  cursor = { ...cursor, waited: false };
  const parts = cursor.parts.map((part): Part => (isUnanswered(part) ? { ...part, posted: false } : part));
  for (const [at, part] of parts.entries()) {
    const keep = async (next: Part): Promise<void> => {
      parts[at] = next;
      await context.save(toJson({ ...cursor, parts }));
    };
    if (part.request === undefined) await create({ context, gateway, work }, part, keep);
    else if (part.state === 'open') await look(context, gateway, part, part.request, keep);
    else continue;
    if (!context.shouldYield()) continue;
    if (parts.some((each) => each.request === undefined)) return { state: 'continue', cursor: toJson({ ...cursor, parts }), done: at + 1, total: parts.length };
    break;
  }
  return settle(context, { ...cursor, parts }, work);
}

/** Reads one page of the organisation's requests and adopts those of this work that are on it. */
async function lookThrough(context: Following, gateway: Gateway, cursor: GdprCursor, { page, work }: { readonly page: number; readonly work: Work }): Promise<GdprCursor> {
  const { requests, hasMore } = await listRequests(context, gateway, page);
  const first = requests[0]?.id;
  const isRepeated = requests.length > 1 && first === cursor.first;
  if (isRepeated || (hasMore && page >= pagesMax)) throw new Failure('VENDOR_MALFORMED', `Genesys’ list of GDPR requests does not end: ${isRepeated ? 'two pages are the same' : `it has more than ${pagesMax} pages`}`);
  const since = context.receivedAt - clockSkewMs;
  const isOurs = (each: GdprRequest, part: Part): boolean => {
    const names = namesOf(each.subject);
    return each.requestType === work.type && sameTerms(each, part) && each.status !== 'ERROR' && Date.parse(each.createdDate) >= since && !cursor.abandoned.includes(each.id) && namesOf(part.subject).every((name) => names.includes(name));
  };
  const parts = cursor.parts.map((part): Part => {
    const match = part.request === undefined ? requests.find((each) => isOurs(each, part)) : undefined;
    return match === undefined ? part : { ...part, request: match.id, since: Date.parse(match.createdDate), adopted: true };
  });
  const { page: _read, first: _before, ...rest } = cursor;
  return { ...rest, parts, ...(hasMore ? { page: page + 1, ...(first === undefined ? {} : { first }) } : {}) };
}

async function create({ context, gateway, work }: { readonly context: Following; readonly gateway: Gateway; readonly work: Work }, part: Part, keep: (next: Part) => Promise<void>): Promise<void> {
  await keep({ ...part, posted: true });
  let request: string;
  try {
    request = await createRequest(context, gateway, { requestType: work.type, subject: part.subject, replacementTerms: part.terms });
  } catch (error) {
    // Refused outright, so nothing was created: the next attempt need not wait for it to appear.
    const isRefused = error instanceof Failure && (error.retry === 'operator' || error.code === 'VENDOR_RATE_LIMITED');
    if (isRefused) await keep(part);
    throw error;
  }
  await keep({ ...part, posted: true, request, since: context.now() });
}

async function look(context: Following, gateway: Gateway, part: Part, request: string, keep: (next: Part) => Promise<void>): Promise<void> {
  const status = (await readRequest(context, gateway, request))?.status;
  if (status === undefined && context.now() - part.since >= visibleMs) await keep({ ...part, state: 'lost' });
  if (status === 'COMPLETED') await keep({ ...part, state: 'completed' });
  if (status === 'ERROR') await keep({ ...part, state: 'failed' });
}

function settle(context: Following, cursor: GdprCursor, work: Work): EraseResult {
  const { parts } = cursor;
  const open = parts.find((each) => each.state === 'open');
  if (open !== undefined) {
    const waits = parts.filter((each) => each.state === 'open').map((each) => pollAfterMs(context.now() - each.since));
    return { state: 'wait', cursor: toJson(cursor), afterMs: Math.min(...waits), reason: 'vendor_job', ...(open.request === undefined ? {} : { vendorJob: open.request }) };
  }
  const bad = parts.filter((each) => each.state !== 'completed');
  const counts = { subjects: parts.length, requests_completed: parts.length - bad.length };
  const ended = toJson({ ...cursor, endedAt: context.now() });
  if (bad.length > 0) {
    const detail = `${bad.length} of ${parts.length} GDPR requests did not complete; Genesys gives no reason`;
    return { state: 'operator', code: 'VENDOR_JOB_FAILED', detail, counts, residue: [...work.residue], cursor: ended };
  }
  const vendorJob = parts.at(-1)?.request;
  const proof = { api: 'gdpr', adopted: parts.some((each) => each.adopted) };
  return { state: 'done', outcome: work.outcome, counts, residue: [...work.residue], proof, ...(vendorJob === undefined ? {} : { vendorJob }), cursor: ended };
}
