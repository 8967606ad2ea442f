import { z } from 'zod';
import { Failure, type ConnectorContext, type JobState } from '../../connector-kit/index.ts';
import { isUnknown, readAnswer, refusal, type Gateway } from './gateway.ts';

/** The OAuth scope of the whole GDPR API. */
export const gdprScope = 'gdpr';
const pageSize = 100;

const text = z.string().nullish();
const texts = z.array(z.string()).nullish();
/** A subject as Genesys answers it. Fields that are not named here are kept: the object is sent back as it came. */
export const subjectSchema = z.looseObject({
  name: text,
  userId: text,
  externalContactId: text,
  dialerContactId: z.looseObject({ id: text, contactListId: text }).nullish(),
  journeyCustomer: z.looseObject({ type: text, id: text }).nullish(),
  socialHandle: z.looseObject({ type: text, value: text }).nullish(),
  externalId: text,
  phoneNumbers: texts,
  emailAddresses: texts,
});
/** A subject as Genesys answers it. */
export type Subject = z.output<typeof subjectSchema>;

/** What a correction replaces by what, in Genesys' words. */
export const termSchema = z.object({ type: z.string(), existingValue: z.string(), updatedValue: z.string() });
/** What a correction replaces by what, in Genesys' words. */
export type Term = z.output<typeof termSchema>;

const listing = { total: z.int().min(0).nullish(), pageCount: z.int().min(0).nullish() };
const subjectsSchema = z.object({ entities: z.array(subjectSchema), ...listing });
const requestSchema = z.object({
  id: z.string().regex(/^[\w.-]{1,200}$/u),
  requestType: z.string(),
  // Read for adoption: one that cannot be read must not pass for an old one.
  createdDate: z.string().refine((value) => !Number.isNaN(Date.parse(value))),
  status: z.enum(['INITIATED', 'SEARCHING', 'UPDATING', 'DELETING', 'FINALIZING', 'COMPLETED', 'ERROR']),
  subject: subjectSchema,
  replacementTerms: z.array(z.looseObject({ type: text, existingValue: text, updatedValue: text })).nullish(),
  resultsUrl: text,
  resultsUrls: texts,
});
/** A GDPR request as Genesys tells of it. */
export type GdprRequest = z.output<typeof requestSchema>;
const requestsSchema = z.object({ entities: z.array(requestSchema), ...listing });

/** The subjects that Genesys finds under one value. Throws `SUBJECT_AMBIGUOUS` where they are more than one answer shows: there is no second page to ask for. */
export async function searchSubjects(context: ConnectorContext, gateway: Gateway, search: { readonly type: string; readonly value: string }): Promise<readonly Subject[]> {
  const query = new URLSearchParams({ searchType: search.type, searchValue: search.value });
  const response = await gateway.call(context, { path: `/api/v2/gdpr/subjects?${query.toString()}` });
  if (response.status !== 200) throw await refusal(response, context.now(), gdprScope);
  const { entities, total } = await readAnswer(response, subjectsSchema);
  if ((total ?? 0) > entities.length) throw new Failure('SUBJECT_AMBIGUOUS', 'Genesys finds more subjects under one value than it shows');
  return entities;
}

/** What a request is for. */
export type RequestType = 'GDPR_DELETE' | 'GDPR_UPDATE' | 'GDPR_EXPORT';

/** Has one subject deleted, corrected or copied, and answers the request's id. Not idempotent: list before calling it again. */
export async function createRequest(context: ConnectorContext, gateway: Gateway, body: { readonly requestType: RequestType; readonly subject: Subject; readonly replacementTerms?: readonly Term[] | undefined }): Promise<string> {
  // Without `deleteConfirmed` Genesys takes the request and deletes nothing.
  const path = `/api/v2/gdpr/requests${body.requestType === 'GDPR_DELETE' ? '?deleteConfirmed=true' : ''}`;
  const response = await gateway.call(context, { path, body });
  if (response.status < 200 || response.status > 202) throw await refusal(response, context.now(), gdprScope);
  return (await readAnswer(response, requestSchema.pick({ id: true }))).id;
}

/** Where a request stands, and the addresses of what came of it. */
export interface RequestNow {
  readonly status: GdprRequest['status'];
  readonly results: readonly string[];
}

/** Reads where a request stands; undefined where Genesys knows no such request. */
export async function readRequest(context: ConnectorContext, gateway: Gateway, id: string): Promise<RequestNow | undefined> {
  const response = await gateway.call(context, { path: `/api/v2/gdpr/requests/${encodeURIComponent(id)}` });
  if (await isUnknown(response)) return undefined;
  if (response.status !== 200) throw await refusal(response, context.now(), gdprScope);
  const { status, resultsUrl, resultsUrls } = await readAnswer(response, requestSchema.pick({ status: true, resultsUrl: true, resultsUrls: true }));
  const several = resultsUrls ?? [];
  return { status, results: several.length > 0 || typeof resultsUrl !== 'string' || resultsUrl === '' ? several : [resultsUrl] };
}

/** One page of the organisation's requests, from 1, and whether there is another. */
export async function listRequests(context: ConnectorContext, gateway: Gateway, page: number, size = pageSize): Promise<{ readonly requests: readonly GdprRequest[]; readonly hasMore: boolean }> {
  const response = await gateway.call(context, { path: `/api/v2/gdpr/requests?pageSize=${size}&pageNumber=${page}` });
  if (response.status !== 200) throw await refusal(response, context.now(), gdprScope);
  const { entities, total, pageCount } = await readAnswer(response, requestsSchema);
  const last = pageCount ?? (typeof total === 'number' ? Math.ceil(total / size) : undefined);
  return { requests: entities, hasMore: entities.length > 0 && (last === undefined ? entities.length >= size : page < last) };
}

/** Where a request stands, for the reconciliation. */
export async function requestState(context: ConnectorContext, gateway: Gateway, id: string): Promise<JobState> {
  const now = await readRequest(context, gateway, id);
  if (now === undefined) return 'unknown';
  const { status } = now;
  return status === 'COMPLETED' ? 'finished' : status === 'ERROR' ? 'failed' : 'running';
}
