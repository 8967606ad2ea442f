import { z } from 'zod';
import { Failure, type ConnectorContext, type EraseContext, type JobState } from '../../connector-kit/index.ts';
import type { PiiConfig } from './config.ts';
import { isUnknown, readAnswer, refusal, type Gateway } from './gateway.ts';

const path = '/api/v2/pii/deletions';
/** What creating a deletion needs, and what reading one does. */
const scopes = { create: 'pii:delete', read: 'pii:view' };
const id = z.string().regex(/^[\w.-]{1,200}$/u);

const createdSchema = z.object({ id, externalId: z.string().nullish() });
const jobSchema = z.object({
  id,
  externalId: z.string().nullish(),
  status: z.enum(['queued', 'running', 'completed', 'failed', 'cancelled']),
  scope: z.array(z.string()).nullish(),
  recordsDeleted: z.int().min(0).nullish(),
});
/** A deletion as the form tells of it. Its `error` is left out: it may quote the person. */
export type PiiJob = z.output<typeof jobSchema>;

/** Submits one deletion and answers its job's id. `requestId` lets a vendor that heeds it answer the same job again; Genesys promises nothing of the kind. */
export async function createDeletion(context: EraseContext, config: PiiConfig, gateway: Gateway, deletion: { readonly externalId: string; readonly requestId: string }): Promise<string> {
  const { request } = context;
  const body = {
    externalId: deletion.externalId,
    type: 'customer',
    scope: config.scope,
    metadata: {
      request_source: request.source,
      verification_method: request.verifiedBy,
      ...(request.jurisdiction === undefined ? {} : { jurisdiction: request.jurisdiction }),
      requested_by: 'quittance',
      ...config.metadata,
    },
  };
  const response = await gateway.call(context, { path, body, requestId: deletion.requestId });
  if (response.status < 200 || response.status > 202) throw await refusal(response, context.now(), scopes.create);
  const job = await readAnswer(response, createdSchema);
  sameSubject(job, deletion.externalId);
  return job.id;
}

/** Reads a deletion; undefined where Genesys knows no such job. */
export async function readDeletion(context: ConnectorContext, gateway: Gateway, job: string): Promise<PiiJob | undefined> {
  const response = await gateway.call(context, { path: `${path}/${encodeURIComponent(job)}` });
  if (await isUnknown(response)) return undefined;
  if (response.status !== 200) throw await refusal(response, context.now(), scopes.read);
  const read = await readAnswer(response, jobSchema);
  if (read.id !== job) throw new Failure('VENDOR_MALFORMED', 'Genesys answered with another job than was asked for');
  return read;
}

/** Refuses a job that is about somebody else than was sent. */
export function sameSubject(job: { readonly externalId?: string | null | undefined }, externalId: string): void {
  if (typeof job.externalId === 'string' && job.externalId !== externalId) {
    throw new Failure('SUBJECT_AMBIGUOUS', 'Genesys answered with a job about another external id than was sent');
  }
}

/** Where a deletion stands, for the reconciliation. */
export async function deletionState(context: ConnectorContext, gateway: Gateway, job: string): Promise<JobState> {
  const status = (await readDeletion(context, gateway, job))?.status;
  if (status === undefined) return 'unknown';
  return status === 'completed' ? 'finished' : status === 'failed' || status === 'cancelled' ? 'failed' : 'running';
}
