import type { Correction, EraseResult, RectifyConfirmation, RectifyContext } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { GenesysConfig } from './config.ts';
import { distinct, doubtAbout, findSubjects, namesOf } from './find-subjects.ts';
import { followRequests, type Work } from './follow-requests.ts';
import type { Subject, Term } from './gdpr-api.ts';
import { parseCursor, parsePrevious, toJson, type GdprCursor, type Part } from './gdpr-cursor.ts';
import type { Gateway } from './gateway.ts';

const correction: Work = { type: 'GDPR_UPDATE', outcome: 'corrected', residue: [] };

interface Field {
  /** What Genesys calls it in a replacement term. */
  readonly type: string;
  readonly valuesOf: (subject: Subject) => readonly string[];
  /** How two spellings are compared. */
  readonly fold: (value: string) => string;
}

const plain = (value: string): string => value.normalize('NFC').trim().toLowerCase();
const stringsIn = (value: unknown): readonly string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []);

/** The names by which corrections reach a subject: what Genesys can replace of it and shows afterwards. */
const fields: Readonly<Record<string, Field>> = {
  name: { type: 'NAME', valuesOf: ({ name }) => (typeof name === 'string' && name !== '' ? [name] : []), fold: plain },
  address: { type: 'ADDRESS', valuesOf: (subject) => stringsIn(subject['addresses']), fold: plain },
  email: { type: 'EMAIL', valuesOf: ({ emailAddresses }) => emailAddresses ?? [], fold: plain },
  phone: { type: 'PHONE', valuesOf: ({ phoneNumbers }) => phoneNumbers ?? [], fold: (value) => value.replaceAll(/[\s().-]/gu, '') },
};

/** How a subject stands to a correction: it has no such value, shows what was asked for, has something to be replaced, or something else than was said. */
type Standing = { readonly is: 'nothing' | 'as_asked' | 'other' } | { readonly is: 'to_correct'; readonly term: Term };

function standing(subject: Subject, { field, from, to }: Correction, identifier: Identifier): Standing {
  const known = fields[field];
  const values = known?.valuesOf(subject) ?? [];
  if (known === undefined || values.length === 0) return { is: 'nothing' };
  // Compared as it is written where it is a text: a name may be corrected in nothing but its case.
  const isAsked = (each: string): boolean => (known.type === 'PHONE' ? known.fold(each) === known.fold(to) : each === to);
  const isShown = values.some(isAsked);
  if (isShown && from === undefined) return { is: 'as_asked' };
  // Where it was not said what was there before, it is the only value, or the one by which the subject was found.
  const said = from ?? (values.length === 1 ? values[0] : field === identifier.kind ? identifier.value : undefined);
  const wrong = said === undefined ? undefined : values.find((each) => known.fold(each) === known.fold(said) && !isAsked(each));
  if (wrong !== undefined) return { is: 'to_correct', term: { type: known.type, existingValue: wrong, updatedValue: to } };
  return { is: isShown ? 'as_asked' : 'other' };
}

/** What the task's identifier becomes by the corrections: an earlier task of the same person may have had it replaced already. */
function renamedTo({ identifier, corrections }: RectifyContext): readonly Identifier[] {
  const fold = fields[identifier.kind]?.fold;
  if (fold === undefined) return [];
  return corrections.filter(({ field, from }) => field === identifier.kind && fold(from ?? identifier.value) === fold(identifier.value)).map(({ to }) => ({ kind: identifier.kind, value: fold(to) }));
}

async function subjectsOf(context: RectifyContext, config: GenesysConfig, gateway: Gateway): Promise<readonly Subject[]> {
  const found: Subject[] = [];
  for (const identifier of [context.identifier, ...renamedTo(context)]) found.push(...(await findSubjects(context, config, gateway, identifier)));
  return distinct(found);
}

/** What the person said that is theirs by now: proven identifiers, and what these become by the corrections. */
function sure(context: RectifyContext): readonly Identifier[] {
  const asked = context.corrections.flatMap(({ field, to }): readonly Identifier[] => (field === 'email' || field === 'phone' ? [{ kind: field, value: fields[field]?.fold(to) ?? to }] : []));
  return [context.identifier, ...context.proven, ...asked];
}

/**
 * One step of correcting a person by the GDPR API: the subjects under the identifier are searched, each that shows something wrong gets one request with
 * what is to be replaced, and all are followed as deletions are. What holds something else than the person said goes to a person, once the rest was asked for;
 * a retry leaves it as it is.
 */
export async function rectifySubjects(context: RectifyContext, config: GenesysConfig, gateway: Gateway): Promise<EraseResult> {
  const kept = parseCursor(context.cursor);
  if (kept !== undefined) return over(await followRequests(context, gateway, kept, correction), kept, parsePrevious(context.previous));
  const unknown = context.corrections.filter(({ field }) => !Object.hasOwn(fields, field));
  if (unknown.length > 0) return { state: 'operator', code: 'UNSUPPORTED', detail: `Genesys replaces no ${unknown.map(({ field }) => field).join(', ')}`, counts: {}, residue: [] };
  const before = parsePrevious(context.previous);
  const abandoned = [...(before?.abandoned ?? []), ...(before?.parts ?? []).flatMap(({ request, state }) => (request === undefined || state === 'open' ? [] : [request]))];
  const subjects = await subjectsOf(context, config, gateway);
  const counts = { subjects: subjects.length };
  const none: GdprCursor = { api: 'gdpr', parts: [], waited: false, abandoned, left: [], endedAt: context.now() };
  const nothing: EraseResult = { state: 'done', outcome: 'nothing_matched', counts, residue: [], cursor: toJson(none) };
  if (subjects.length === 0) return nothing;
  const detail = doubtAbout(config, context.identifier, subjects, sure(context));
  if (detail !== undefined) return { state: 'operator', code: 'SUBJECT_AMBIGUOUS', detail, counts, residue: [], cursor: toJson(none) };
  const stands = subjects.map((subject) => ({ subject, each: context.corrections.map((one) => ({ field: one.field, ...standing(subject, one, context.identifier) })) }));
  const left = [...new Set(stands.flatMap(({ each }) => each.filter(({ is }) => is === 'other').map(({ field }) => field)))].toSorted();
  const parts = stands.flatMap(({ subject, each }): readonly Part[] => {
    const terms = each.flatMap((one) => (one.is === 'to_correct' ? [one.term] : []));
    return terms.length === 0 ? [] : [{ subject, terms, posted: false, adopted: false, since: context.now(), state: 'open' }];
  });
  const start: GdprCursor = { api: 'gdpr', parts, page: 1, waited: false, abandoned, left };
  if (parts.length > 0) return over(await followRequests(context, gateway, start, correction), start, before);
  const isShown = stands.some(({ each }) => each.some(({ is }) => is === 'as_asked'));
  const ended = toJson({ ...none, left });
  return over(isShown ? { state: 'done', outcome: 'corrected', counts, residue: [], cursor: ended } : { ...nothing, cursor: ended }, start, before);
}

/** Hands to a person what was left because it is something else than was said, unless they have seen it before. */
function over(result: EraseResult, { left }: GdprCursor, before: GdprCursor | undefined): EraseResult {
  if (result.state !== 'done' || (left ?? []).every((field) => before?.left?.includes(field) === true)) return result;
  const { counts, cursor } = result;
  return { state: 'operator', code: 'SUBJECT_AMBIGUOUS', detail: 'A subject holds something else than the person said', counts, residue: [], ...(cursor === undefined ? {} : { cursor }) };
}

const firstWaitMs = 60_000;
/** How long a subject may still show what was replaced after its request was completed. Not documented; an index lags. */
const staleMs = 3_600_000;

/** Searches again, by the identifier as it was and as it became: every subject that was corrected must be found, and none may show what was wrong. */
export async function confirmRectified(context: RectifyContext, config: GenesysConfig, gateway: Gateway): Promise<RectifyConfirmation> {
  const kept = parseCursor(context.cursor);
  const subjects = await subjectsOf(context, config, gateway);
  const otherwise = new Set<string>();
  for (const subject of subjects) {
    for (const one of context.corrections) {
      const { is } = standing(subject, one, context.identifier);
      if (is === 'to_correct' || (is === 'other' && kept?.left?.includes(one.field) !== true)) otherwise.add(one.field);
    }
  }
  // One that was corrected and is not found any more, or has lost the value, does not show what was asked for.
  for (const part of kept?.parts ?? []) {
    const found = subjects.find((each) => namesOf(part.subject).some((name) => namesOf(each).includes(name)));
    const replaced = context.corrections.filter(({ field }) => part.terms?.some(({ type }) => type === fields[field]?.type) === true);
    for (const one of replaced) if (found === undefined || standing(found, one, context.identifier).is !== 'as_asked') otherwise.add(one.field);
  }
  if (otherwise.size === 0) return { state: 'as_asked' };
  const elapsedMs = context.now() - (kept?.endedAt ?? context.receivedAt);
  if (elapsedMs < staleMs) return { state: 'later', afterMs: Math.min(staleMs - elapsedMs, Math.max(firstWaitMs, elapsedMs)) };
  return { state: 'otherwise', fields: [...otherwise].toSorted() };
}
