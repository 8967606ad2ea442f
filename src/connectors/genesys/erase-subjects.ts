import { Failure, type EraseContext, type EraseResult } from '../../connector-kit/index.ts';
import type { GenesysConfig } from './config.ts';
import { areSeveralPeople, findSubjects, isEmployee, namesOf, unknownOf } from './find-subjects.ts';
import { createDeleteRequest, listRequests, readRequest, type GdprRequest } from './gdpr-api.ts';
import { parseCursor, parsePrevious, toJson, type GdprCursor, type Part } from './gdpr-cursor.ts';
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

/**
 * One step of erasing a person by the GDPR API: the subjects under the identifier are searched, the organisation's requests are looked through for
 * ones that were made already, and each subject that has none gets one; then all are followed. There is no idempotency key, so the intent is kept first.
 */
export async function eraseSubjects(context: EraseContext, config: GenesysConfig, gateway: Gateway): Promise<EraseResult> {
  const kept = parseCursor(context.cursor);
  if (kept !== undefined) return goOn(context, gateway, kept);
  const before = parsePrevious(context.previous);
  const abandoned = [...(before?.abandoned ?? []), ...(before?.parts ?? []).flatMap(({ request, state }) => (request === undefined || state === 'open' ? [] : [request]))];
  const subjects = await findSubjects(context, config, gateway, context.identifier);
  const none: GdprCursor = { api: 'gdpr', parts: [], waited: false, abandoned, endedAt: context.now() };
  if (subjects.length === 0) {
    return { state: 'done', outcome: context.seenHere ? 'already_absent' : 'nothing_matched', counts: { subjects: 0 }, residue: [], cursor: toJson(none) };
  }
  const counts = { subjects: subjects.length };
  const refuse = (detail: string): EraseResult => ({ state: 'operator', code: 'SUBJECT_AMBIGUOUS', detail, counts, residue: [], cursor: toJson(none) });
  // Nothing is deleted before a person has looked: the same number may be an employee's and a customer's.
  if (subjects.some(isEmployee)) return refuse('A subject found under this identifier is one of the organisation’s own users');
  if (areSeveralPeople(context.identifier, subjects)) return refuse('The number is shared: the subjects found under it have different addresses or names');
  if (subjects.some((each) => unknownOf(config, each, [context.identifier, ...context.proven]).length > 0)) {
    return refuse('A subject found under this identifier also has an address, number or external id that is not proven to be the person’s');
  }
  const parts = subjects.map((subject): Part => ({ subject, posted: false, adopted: false, since: context.now(), state: 'open' }));
  return goOn(context, gateway, { api: 'gdpr', parts, page: 1, waited: false, abandoned });
}

const isUnanswered = (part: Part): boolean => part.posted && part.request === undefined;

async function goOn(context: EraseContext, gateway: Gateway, kept: GdprCursor): Promise<EraseResult> {
  let cursor = kept;
  while (cursor.page !== undefined) {
    cursor = await lookThrough(context, gateway, cursor, cursor.page);
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
    if (part.request === undefined) await create(context, gateway, part, keep);
    else if (part.state === 'open') await look(context, gateway, part, part.request, keep);
    else continue;
    if (!context.shouldYield()) continue;
    if (parts.some((each) => each.request === undefined)) return { state: 'continue', cursor: toJson({ ...cursor, parts }), done: at + 1, total: parts.length };
    break;
  }
  return settle(context, { ...cursor, parts });
}

/** Reads one page of the organisation's requests and adopts those of this erasure that are on it. */
async function lookThrough(context: EraseContext, gateway: Gateway, cursor: GdprCursor, page: number): Promise<GdprCursor> {
  const { requests, hasMore } = await listRequests(context, gateway, page);
  const first = requests[0]?.id;
  const isRepeated = requests.length > 1 && first === cursor.first;
  if (isRepeated || (hasMore && page >= pagesMax)) throw new Failure('VENDOR_MALFORMED', `Genesys’ list of GDPR requests does not end: ${isRepeated ? 'two pages are the same' : `it has more than ${pagesMax} pages`}`);
  const since = context.receivedAt - clockSkewMs;
  const isOurs = (each: GdprRequest, part: Part): boolean => {
    const names = namesOf(each.subject);
    return each.requestType === 'GDPR_DELETE' && each.status !== 'ERROR' && Date.parse(each.createdDate) >= since && !cursor.abandoned.includes(each.id) && namesOf(part.subject).every((name) => names.includes(name));
  };
  const parts = cursor.parts.map((part): Part => {
    const match = part.request === undefined ? requests.find((each) => isOurs(each, part)) : undefined;
    return match === undefined ? part : { ...part, request: match.id, since: Date.parse(match.createdDate), adopted: true };
  });
  const { page: _read, first: _before, ...rest } = cursor;
  return { ...rest, parts, ...(hasMore ? { page: page + 1, ...(first === undefined ? {} : { first }) } : {}) };
}

async function create(context: EraseContext, gateway: Gateway, part: Part, keep: (next: Part) => Promise<void>): Promise<void> {
  await keep({ ...part, posted: true });
  let request: string;
  try {
    request = await createDeleteRequest(context, gateway, part.subject);
  } catch (error) {
    // Refused outright, so nothing was created: the next attempt need not wait for it to appear.
    const isRefused = error instanceof Failure && (error.retry === 'operator' || error.code === 'VENDOR_RATE_LIMITED');
    if (isRefused) await keep(part);
    throw error;
  }
  await keep({ ...part, posted: true, request, since: context.now() });
}

async function look(context: EraseContext, gateway: Gateway, part: Part, request: string, keep: (next: Part) => Promise<void>): Promise<void> {
  const status = await readRequest(context, gateway, request);
  if (status === undefined && context.now() - part.since >= visibleMs) await keep({ ...part, state: 'lost' });
  if (status === 'COMPLETED') await keep({ ...part, state: 'completed' });
  if (status === 'ERROR') await keep({ ...part, state: 'failed' });
}

function settle(context: EraseContext, cursor: GdprCursor): EraseResult {
  const { parts } = cursor;
  const open = parts.find((each) => each.state === 'open');
  if (open !== undefined) {
    const waits = parts.filter((each) => each.state === 'open').map((each) => pollAfterMs(context.now() - each.since));
    return { state: 'wait', cursor: toJson(cursor), afterMs: Math.min(...waits), reason: 'vendor_job', ...(open.request === undefined ? {} : { vendorJob: open.request }) };
  }
  const bad = parts.filter((each) => each.state !== 'completed');
  const counts = { subjects: parts.length, requests_completed: parts.length - bad.length };
  const residue = [{ what: 'analytics_aggregates', why: 'no_refresh_at_vendor' }];
  const ended = toJson({ ...cursor, endedAt: context.now() });
  if (bad.length > 0) {
    const detail = `${bad.length} of ${parts.length} GDPR requests did not complete; Genesys gives no reason`;
    return { state: 'operator', code: 'VENDOR_JOB_FAILED', detail, counts, residue, cursor: ended };
  }
  const vendorJob = parts.at(-1)?.request;
  const proof = { api: 'gdpr', adopted: parts.some((each) => each.adopted) };
  return { state: 'done', outcome: 'erased', counts, residue, proof, ...(vendorJob === undefined ? {} : { vendorJob }), cursor: ended };
}
