import { z } from 'zod';
import { Failure, type ExportContext, type ExportedRecord, type ExportPage, type Json } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import { hostsOf, type GdprConfig } from './config.ts';
import { distinct, doubtAbout, findSubjects, namesOf, searchedKinds } from './find-subjects.ts';
import { pollAfterMs } from './follow-requests.ts';
import { createRequest, gdprScope, listRequests, readRequest, subjectSchema, type RequestNow, type Subject } from './gdpr-api.ts';
import { refusal, type Gateway } from './gateway.ts';

const minuteMs = 60_000;
/** How far Genesys' clock may be behind ours before a request of this export would be taken for an older one. */
const clockSkewMs = 5 * minuteMs;
/** A request that is not found this soon after its creation may only not be visible yet. */
const visibleMs = 10 * minuteMs;
/** Pages of 100 that are looked through for a request whose creation was not answered. One that is missed is made twice, which reads twice and changes nothing. */
const lookPagesMax = 5;
/** Larger archives are named and not copied: a page of an export is held in memory. */
const archiveBytesMax = 5 * 1024 * 1024;

const partSchema = z.strictObject({ subject: subjectSchema, request: z.string().optional(), asked: z.number() });
const cursorSchema = z.strictObject({
  /** When the export began. */
  since: z.number(),
  parts: z.array(partSchema),
  /** Set once all requests are completed: the next part and the next of its archives. */
  next: z.strictObject({ part: z.int().nonnegative(), archive: z.int().nonnegative() }).optional(),
});
type Cursor = z.output<typeof cursorSchema>;
type Part = Cursor['parts'][number];

interface Exporting {
  readonly context: ExportContext;
  readonly config: GdprConfig;
  readonly gateway: Gateway;
}

/**
 * Has Genesys make a copy of every subject that is found under the person's proven identifiers (GDPR_EXPORT, which takes days), follows it as a deletion is
 * followed, and gives each subject with the archives that came of it, as they are. An archive over 5 MiB (`too_large`), and one at a host that is not in
 * `archive_origins` (`elsewhere`), is named as `object_not_included`. Fails with `SUBJECT_AMBIGUOUS` where a subject may be somebody else's, before anything
 * is asked for, and with `VENDOR_JOB_FAILED` where a request ends in error or without a result.
 */
export async function* exportSubjects(context: ExportContext, config: GdprConfig, gateway: Gateway): AsyncGenerator<ExportPage> {
  const run: Exporting = { context, config, gateway };
  const kept = context.cursor === null ? undefined : cursorSchema.safeParse(context.cursor);
  if (kept?.success === false) throw new Failure('INTERNAL', 'The kept place of an export is not one of an export by the GDPR API');
  if (kept === undefined) {
    const subjects = await subjectsOf(run);
    // What is asked for from here on is found again by when it began, whatever dies in between.
    if (subjects.length > 0) yield pause({ since: context.now(), parts: subjects.map((subject) => ({ subject, asked: context.now() })) }, 0);
    return;
  }
  const cursor = kept.data;
  if (cursor.next !== undefined) {
    yield* giveArchives(run, cursor, cursor.next);
    return;
  }
  const missing = cursor.parts.findIndex(({ request }) => request === undefined);
  const part = cursor.parts[missing];
  if (part !== undefined) {
    const request = (await findRequest(run, cursor, part)) ?? (await createRequest(context, gateway, { requestType: 'GDPR_EXPORT', subject: part.subject }));
    const parts = cursor.parts.with(missing, { ...part, request, asked: context.now() });
    yield pause({ ...cursor, parts }, parts.some((each) => each.request === undefined) ? 0 : minuteMs, request);
    return;
  }
  const open = await firstOpen(run, cursor.parts);
  if (open !== undefined) yield pause(cursor, pollAfterMs(context.now() - open.asked), open.request);
  else yield* giveArchives(run, cursor, { part: 0, archive: 0 });
}

const toJson = (cursor: Cursor): Json => JSON.parse(JSON.stringify(cursor)) as Json;

const pause = (cursor: Cursor, afterMs: number, vendorJob?: string): ExportPage => ({ records: [], wait: { resume: toJson(cursor), afterMs, reason: 'vendor_job', ...(vendorJob === undefined ? {} : { vendorJob }) } });

/** Every subject under the person's proven identifiers, each once. */
async function subjectsOf({ context, config, gateway }: Exporting): Promise<readonly Subject[]> {
  const isSame = (one: Identifier, other: Identifier): boolean => one.kind === other.kind && one.value === other.value;
  const sure = [context.identifier, ...context.proven.filter((each) => !isSame(each, context.identifier))];
  const found: Subject[] = [];
  for (const identifier of sure.filter(({ kind }) => searchedKinds.some((each) => each === kind))) {
    const subjects = await findSubjects(context, config, gateway, identifier);
    const doubt = doubtAbout(config, identifier, subjects, sure);
    if (doubt !== undefined) throw new Failure('SUBJECT_AMBIGUOUS', doubt);
    found.push(...subjects);
  }
  return distinct(found);
}

/** The request for this subject that an earlier step made, if its answer was lost. */
async function findRequest({ context, gateway }: Exporting, { since, parts }: Cursor, { subject }: Part): Promise<string | undefined> {
  const taken = parts.map(({ request }) => request);
  for (let page = 1; page <= lookPagesMax; page += 1) {
    const { requests, hasMore } = await listRequests(context, gateway, page);
    const match = requests.find((each) => {
      const names = namesOf(each.subject);
      const isNew = Date.parse(each.createdDate) >= since - clockSkewMs && each.status !== 'ERROR' && !taken.includes(each.id);
      return each.requestType === 'GDPR_EXPORT' && isNew && namesOf(subject).every((name) => names.includes(name));
    });
    if (match !== undefined || !hasMore) return match?.id;
  }
  return undefined;
}

/** The first part whose request is not completed; undefined when all are. */
async function firstOpen(run: Exporting, parts: readonly Part[]): Promise<Part | undefined> {
  for (const part of parts) if ((await readPart(run, part))?.status !== 'COMPLETED') return part;
  return undefined;
}

async function readPart({ context, gateway }: Exporting, { request = '', asked }: Part): Promise<RequestNow | undefined> {
  const now = await readRequest(context, gateway, request);
  const isLost = now === undefined && context.now() - asked >= visibleMs;
  if (isLost || now?.status === 'ERROR') throw new Failure('VENDOR_JOB_FAILED', isLost ? 'Genesys does not know the export any more that it had accepted' : 'An export ended in error; Genesys gives no reason');
  return now;
}

async function* giveArchives(run: Exporting, cursor: Cursor, from: NonNullable<Cursor['next']>): AsyncGenerator<ExportPage> {
  for (const [at, part] of cursor.parts.entries()) {
    if (at < from.part) continue;
    const place = (archive: number): Json => toJson({ ...cursor, next: { part: at, archive } });
    const { results } = (await readPart(run, part)) ?? { results: [] };
    if (results.length === 0) throw new Failure('VENDOR_JOB_FAILED', 'An export was completed and names no archive');
    const first = at === from.part ? from.archive : 0;
    if (first === 0) yield { records: [{ type: 'subject', data: part.subject }] };
    for (const [archive, url] of results.entries()) {
      if (archive < first) continue;
      const isLast = archive + 1 === results.length;
      yield { records: [await archiveRecord(run, url, `${part.request ?? 'export'}-${archive + 1}`)], resume: isLast ? toJson({ ...cursor, next: { part: at + 1, archive: 0 } }) : place(archive + 1) };
    }
  }
}

/** One archive as a record: with its bytes, or named where it lies elsewhere or is too large. */
async function archiveRecord(run: Exporting, url: string, name: string): Promise<ExportedRecord> {
  const answer = await fetchArchive(run, url);
  if (typeof answer === 'string') return { type: 'object_not_included', data: { object: 'gdpr_export_archive', name, not_included: answer } };
  const type = answer.headers.get('content-type')?.split(';', 1)[0]?.trim() ?? 'application/octet-stream';
  return { type: 'archive', data: { filename: `${name}${type === 'application/zip' ? '.zip' : type === 'application/json' ? '.json' : ''}`, content_type: type, base64: Buffer.from(await answer.arrayBuffer()).toString('base64') } };
}

async function fetchArchive({ context, config, gateway }: Exporting, url: string): Promise<Response | 'too_large' | 'elsewhere'> {
  // One byte more than is taken, so that a host which heeds it says how long the whole is without sending it.
  const headers = { accept: '*/*', range: `bytes=0-${archiveBytesMax}` };
  const { api } = hostsOf(config);
  let at = urlOf(url, api);
  for (let hops = 0; at !== undefined && hops < 3; hops += 1) {
    const isOwn = at.origin === api;
    // The token is the platform's alone: another host gets what is in the address, which is signed.
    if (!isOwn && !config.archive_origins.includes(at.origin)) return 'elsewhere';
    const response = await (isOwn ? gateway.call(context, { path: `${at.pathname}${at.search}`, headers }) : context.fetch(at.href, { headers, redirect: 'manual' })).catch(tooLarge);
    if (response === 'too_large') return response;
    if (response.status >= 300 && response.status < 400) {
      at = urlOf(response.headers.get('location') ?? '', at.href);
      continue;
    }
    if (response.status !== 200 && response.status !== 206) throw await refusal(response, context.now(), gdprScope);
    const total = Number(/\/(\d+)$/u.exec(response.headers.get('content-range') ?? '')?.[1] ?? 0);
    const length = (await response.clone().arrayBuffer()).byteLength;
    return Math.max(total, length) > archiveBytesMax ? 'too_large' : response;
  }
  throw new Failure('VENDOR_MALFORMED', 'Genesys names an archive at an address that leads nowhere');
}

/** The guard gives up an answer that is over its limit, and says so as an answer that cannot be read. */
function tooLarge(error: unknown): 'too_large' {
  if (error instanceof Failure && error.code === 'VENDOR_MALFORMED') return 'too_large';
  throw error;
}

function urlOf(text: string, base: string): URL | undefined {
  const url = URL.canParse(text, base) ? new URL(text, base) : undefined;
  return url?.username === '' && url.password === '' ? url : undefined;
}
