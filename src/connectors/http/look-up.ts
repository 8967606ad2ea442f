import { Failure, vendorFailure, type EarlierJob, type EraseContext, type RequestFacts } from '../../connector-kit/index.ts';
import type { Identifier, IdentifierKind } from '../../contract/identifiers.ts';
import type { CallContext } from './authenticate.ts';
import { firstFit, holds, type Answer, type Send } from './call.ts';
import type { Declaration, LookUp } from './declaration.ts';
import { looseForm, textsAt } from './identifier-forms.ts';
import { idAt, valueAt, valuesAt } from './json-path.ts';
import { renderRequest } from './render-request.ts';
import type { TemplateValues } from './template.ts';

/** One connection's declaration and the way to its system. */
export interface System {
  readonly declaration: Declaration;
  readonly send: Send;
}

/** How far a look-up was read. */
export interface Reading {
  /** What the next page is asked by. */
  readonly page: string;
  /** How many records and pages there were so far: a look-up that is gone on with later must not forget its limits. */
  readonly count: number;
  readonly pages: number;
}

/** One page of records. */
export interface Page {
  readonly records: readonly unknown[];
  /** Records that do not show what was asked for, where the declaration will not leave them out: a person has to decide whose they are. */
  readonly unmatched: readonly unknown[];
  /** Where to go on; undefined after the last page. */
  readonly next: Reading | undefined;
}

/** More pages than records are no list: so many may be empty. */
const emptyPagesMax = 100;

/** What templates may say of an identifier. */
export function identifierValues(declaration: Declaration, identifier: Identifier): TemplateValues {
  return {
    'identifier.value': identifier.value,
    'identifier.raw': identifier.raw,
    'identifier.kind': identifier.kind,
    'identifier.field': declaration.identifiers[identifier.kind],
  };
}

/** What templates of an erasure may say besides. The latest job counts where a connection had several. */
export function erasureValues(declaration: Declaration, context: Pick<EraseContext, 'identifier' | 'request' | 'taskId' | 'earlierJobs'>): TemplateValues {
  const { request, taskId, earlierJobs } = context;
  return { ...identifierValues(declaration, context.identifier), ...requestValues(request), 'task.id': taskId, ...jobValues(earlierJobs) };
}

const requestValues = (request: RequestFacts): TemplateValues => ({
  'request.id': request.id,
  'request.source': request.source,
  'request.law': request.law,
  'request.jurisdiction': request.jurisdiction,
  'request.verified_by': request.verifiedBy,
});
const jobValues = (jobs: readonly EarlierJob[]): TemplateValues => Object.fromEntries(jobs.map(({ connection, job }) => [`job.${connection}`, job]));

/** The look-ups that need only an identifier of this kind. */
export function mainLookUps(lookUps: readonly LookUp[], kind: IdentifierKind): readonly LookUp[] {
  return lookUps.filter((each) => each.of === undefined && (each.by === undefined || each.by.includes(kind)));
}

/**
 * Reads a look-up page by page. Only what the system gave as a list of records counts as none; anything else it may answer is a failure.
 * Fails with `SUBJECT_AMBIGUOUS` beyond `at_most`, which no retry lifts; with `VENDOR_MALFORMED` where pages repeat or do not end, and as vendors' calls do.
 */
export async function* readPages(context: CallContext, system: System, lookUp: LookUp, asked: { identifier: Identifier; parent?: string | undefined }, from?: Reading): AsyncGenerator<Page> {
  const base: TemplateValues = { ...identifierValues(system.declaration, asked.identifier), 'parent.id': asked.parent };
  let page = from?.page ?? (lookUp.paging?.by === 'number' ? String(lookUp.paging.first) : undefined);
  const seen = new Set<string>();
  let last = '[]';
  let count = from?.count ?? 0;
  for (let pages = (from?.pages ?? 0) + 1; ; pages += 1) {
    const isLink = lookUp.paging?.by === 'link' && page !== undefined;
    const first = renderRequest(system.declaration.base_url, lookUp.request, { ...base, page: isLink ? undefined : page });
    const request = isLink && page !== undefined ? { ...first, url: sameOrigin(page, first.url) } : first;
    const answer = await system.send(context, request);
    const all = recordsOf(lookUp, answer, context.now());
    const text = JSON.stringify(all);
    count += all.length;
    if (count > lookUp.at_most) throw new Failure('SUBJECT_AMBIGUOUS', `A look-up of ${lookUp.type} found more than ${lookUp.at_most} records; where that is right, raise its at_most`);
    const next = nextPage(lookUp, answer, all, page);
    if (all.length > 0 && text === last) throw new Failure('VENDOR_MALFORMED', 'The system answered two pages with the same records');
    if (next !== undefined && (next === page || seen.has(next))) throw new Failure('VENDOR_MALFORMED', 'The system answered with a page that it had given before');
    if (next !== undefined && pages >= lookUp.at_most + emptyPagesMax) throw new Failure('VENDOR_MALFORMED', `A look-up of ${lookUp.type} did not end within ${pages} pages`);
    if (next !== undefined) seen.add(next);
    last = text;
    yield { ...sorted(lookUp, all.filter((each) => holds(lookUp.where, each)), asked.identifier), next: next === undefined ? undefined : { page: next, count, pages } };
    if (next === undefined) return;
    page = next;
  }
}

function sameOrigin(link: string, from: URL): URL {
  const url = URL.parse(link, from.href);
  if (url === null || url.username !== '' || url.password !== '') throw new Failure('VENDOR_MALFORMED', 'The system answered with a link to a next page that is none');
  if (url.origin !== from.origin) throw new Failure('EGRESS_FORBIDDEN', 'The system answered with a link to another host');
  return url;
}

function recordsOf(lookUp: LookUp, answer: Answer, now: number): readonly unknown[] {
  if (firstFit(lookUp.empty, answer) !== undefined) return [];
  if (answer.status < 200 || answer.status >= 300) throw vendorFailure(answer.status, { retryAfter: answer.retryAfter, now });
  const found = valuesAt(answer.body, lookUp.items);
  const [only] = found;
  if (found.length === 1 && Array.isArray(only)) return only as readonly unknown[];
  if (found.length === 1 && only === null && lookUp.items !== '$') return [];
  if (found.length > 0 && found.every((each) => typeof each === 'object' && each !== null && !Array.isArray(each))) return found;
  // `$.results[*]` leads nowhere in an empty list, and in an answer that has no list: only the first is none.
  if (found.length === 0 && lookUp.items.endsWith('[*]') && Array.isArray(valueAt(answer.body, lookUp.items.slice(0, -'[*]'.length)))) return [];
  throw new Failure('VENDOR_MALFORMED', `The system answered a look-up of ${lookUp.type} without the records that its declaration says`);
}

function nextPage(lookUp: LookUp, answer: Answer, all: readonly unknown[], page: string | undefined): string | undefined {
  if (lookUp.paging === undefined) return undefined;
  if (lookUp.paging.by === 'number') return all.length === 0 ? undefined : String(Number(page) + 1);
  return idAt(answer.body, lookUp.paging.next);
}

/** Records that show what was asked for, and those of which a person has to say whether they are meant. */
function sorted(lookUp: LookUp, records: readonly unknown[], identifier: Identifier): Pick<Page, 'records' | 'unmatched'> {
  const matching = records.filter((each) => matches(lookUp, each, identifier));
  const isMatch = new Set(matching);
  return { records: matching, unmatched: lookUp.unmatched === 'ambiguous' ? records.filter((each) => !isMatch.has(each)) : [] };
}

function matches(lookUp: LookUp, record: unknown, { kind, value }: Identifier): boolean {
  const paths = lookUp.match[kind];
  if (paths === undefined) return true;
  return [paths].flat().some((path) => textsAt(kind, record, path).some((each) => looseForm(kind, each) === looseForm(kind, value)));
}

/** The id of a record. Fails with `VENDOR_MALFORMED` where it has none. */
export function recordId(lookUp: LookUp, record: unknown): string {
  const id = idAt(record, lookUp.id);
  if (id === undefined || id.length > 400) throw new Failure('VENDOR_MALFORMED', `The system gave a record of ${lookUp.type} without an id where its declaration says`);
  return id;
}
