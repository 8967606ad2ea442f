import type { EraseContext, EraseResult } from '../../connector-kit/index.ts';
import type { GenesysConfig } from './config.ts';
import { doubtAbout, findSubjects } from './find-subjects.ts';
import { followRequests, type Work } from './follow-requests.ts';
import { parseCursor, parsePrevious, toJson, type GdprCursor, type Part } from './gdpr-cursor.ts';
import type { Gateway } from './gateway.ts';

const deletion: Work = { type: 'GDPR_DELETE', outcome: 'erased', residue: [{ what: 'analytics_aggregates', why: 'no_refresh_at_vendor' }] };

/**
 * One step of erasing a person by the GDPR API: the subjects under the identifier are searched, the organisation's requests are looked through for
 * ones that were made already, and each subject that has none gets one; then all are followed. There is no idempotency key, so the intent is kept first.
 */
export async function eraseSubjects(context: EraseContext, config: GenesysConfig, gateway: Gateway): Promise<EraseResult> {
  const kept = parseCursor(context.cursor);
  if (kept !== undefined) return followRequests(context, gateway, kept, deletion);
  const before = parsePrevious(context.previous);
  const abandoned = [...(before?.abandoned ?? []), ...(before?.parts ?? []).flatMap(({ request, state }) => (request === undefined || state === 'open' ? [] : [request]))];
  const subjects = await findSubjects(context, config, gateway, context.identifier);
  const none: GdprCursor = { api: 'gdpr', parts: [], waited: false, abandoned, endedAt: context.now() };
  if (subjects.length === 0) {
    return { state: 'done', outcome: context.seenHere ? 'already_absent' : 'nothing_matched', counts: { subjects: 0 }, residue: [], cursor: toJson(none) };
  }
  const counts = { subjects: subjects.length };
  // Nothing is deleted before a person has looked.
  const detail = doubtAbout(config, context.identifier, subjects, [context.identifier, ...context.proven]);
  if (detail !== undefined) return { state: 'operator', code: 'SUBJECT_AMBIGUOUS', detail, counts, residue: [], cursor: toJson(none) };
  const parts = subjects.map((subject): Part => ({ subject, posted: false, adopted: false, since: context.now(), state: 'open' }));
  return followRequests(context, gateway, { api: 'gdpr', parts, page: 1, waited: false, abandoned }, deletion);
}
