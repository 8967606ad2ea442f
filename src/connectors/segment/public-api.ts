import { z } from 'zod';
import { Failure, type ConnectorContext } from '../../connector-kit/index.ts';
import type { SegmentConfig } from './config.ts';
import { readAnswer, readJson, refusal } from './read-answer.ts';

/** A regulation has up to 5,000 subjects; 100 of the largest fit the limit of one answer only if they are not all that large. */
const pageSize = 100;

const statusSchema = z.enum(['FAILED', 'FINISHED', 'INITIALIZED', 'INVALID', 'NOT_SUPPORTED', 'PARTIAL_SUCCESS', 'RUNNING']);
/** Dates are read for adoption and ages: one that cannot be read must not pass for an old one. */
const dateSchema = z.string().refine((value) => !Number.isNaN(Date.parse(value)));
/** The state of a regulation, or of one destination in it. */
export type RegulationStatus = z.infer<typeof statusSchema>;

const regulationSchema = z.object({
  overallStatus: statusSchema,
  createdAt: dateSchema,
  streamStatus: z.array(z.object({ destinationStatus: z.array(z.object({ status: statusSchema })) })),
});
/** A regulation with the states of its destinations. Their error texts are left out: they may quote the person. */
export type Regulation = z.infer<typeof regulationSchema>;

const listedSchema = z.object({ id: z.string(), subjectType: z.string(), subjects: z.array(z.string()), createdAt: dateSchema, regulationType: z.string() });
/** A regulation as the list names it. */
export type ListedRegulation = z.infer<typeof listedSchema>;

const createdAnswer = z.object({ data: z.object({ regulateId: z.string().min(1).max(200) }) });
const readAnswerSchema = z.object({ data: z.object({ regulation: regulationSchema }) });
const listAnswer = z.object({
  data: z.object({ regulations: z.array(listedSchema), pagination: z.object({ current: z.string().optional(), next: z.string().nullish() }) }),
});
const problems = z.object({ errors: z.array(z.object({ type: z.string() })).min(1) });

async function call(context: ConnectorContext, config: SegmentConfig, path: string, body?: unknown): Promise<Response> {
  return context.fetch(`${config.public_api.base_url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${config.public_api.token}`,
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function refused(response: Response, now: number): Promise<Failure> {
  const text = await response.text();
  let type: string | undefined;
  try {
    type = problems.safeParse(JSON.parse(text)).data?.errors[0]?.type;
  } catch {
    // The status alone decides; a body that is not JSON only costs the vendor's code in the detail.
  }
  return refusal(response, now, type);
}

/** Creates a workspace regulation for user ids and answers its id. Not idempotent: list before calling it again. */
export async function createRegulation(context: ConnectorContext, config: SegmentConfig, subjects: readonly string[]): Promise<string> {
  const response = await call(context, config, '/regulations', { regulationType: config.regulation, subjectType: 'USER_ID', subjectIds: subjects });
  if (response.status !== 200 && response.status !== 201) throw await refused(response, context.now());
  return (await readAnswer(response, createdAnswer)).data.regulateId;
}

/** Reads a regulation; undefined when Segment has no record of it, which is so 90 days after its creation. */
export async function readRegulation(context: ConnectorContext, config: SegmentConfig, id: string): Promise<Regulation | undefined> {
  const response = await call(context, config, `/regulations/${encodeURIComponent(id)}`);
  if (response.status === 404) {
    if (problems.safeParse(await readJson(response)).success) return undefined;
    throw new Failure('VENDOR_MALFORMED', 'A 404 came that is not the Public API speaking; check public_api.base_url');
  }
  if (response.status !== 200) throw await refused(response, context.now());
  return (await readAnswer(response, readAnswerSchema)).data.regulation;
}

/** One page of the workspace's regulations of the configured type, and where the next page starts. */
export async function listRegulations(
  context: ConnectorContext,
  config: SegmentConfig,
  options: { page: string | undefined; count?: number },
): Promise<{ readonly regulations: readonly ListedRegulation[]; readonly next: string | undefined }> {
  const query = new URLSearchParams({ regulationTypes: config.regulation, 'pagination[count]': String(options.count ?? pageSize) });
  if (options.page !== undefined) query.set('pagination[cursor]', options.page);
  const response = await call(context, config, `/regulations?${query.toString()}`);
  if (response.status !== 200) throw await refused(response, context.now());
  const { regulations, pagination } = (await readAnswer(response, listAnswer)).data;
  const next = pagination.next ?? '';
  if (next !== '' && next === options.page) throw new Failure('VENDOR_MALFORMED', 'Segment answered the same page twice');
  return { regulations, next: next === '' ? undefined : next };
}
