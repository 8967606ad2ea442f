import { z } from 'zod';
import { formatId } from '../../contract/ids.ts';
import { identifierKindSchema } from '../../contract/identifiers.ts';
import { confirmationSchema, countsSchema, decisionSchema, outcomeSchema, residueSchema, taskStatusSchema } from '../../contract/outcomes.ts';
import type { DescribedIdentifier } from '../identity/index.ts';
import { outsideId, type RequestCore } from '../requests/index.ts';
import type { DryRun } from './dry-run.ts';
import type { PlannedTask } from './domain/plan.ts';
import type { ManualTask } from './manual-tasks.ts';
import type { TaskRow } from './task-store.ts';

const identifierSchema = z.object({ kind: identifierKindSchema, commitment: z.string().describe('HMAC-SHA-256 under the nonce of the request; the value itself is never shown') });

/** A task as the API shows it. */
export const taskSchema = z.object({
  id: z.string(),
  system: z.string(),
  connector: z.string(),
  identifier: identifierSchema,
  action: z.string(),
  decision: decisionSchema,
  status: taskStatusSchema,
  outcome: outcomeSchema.nullable(),
  confirmation: confirmationSchema.nullable(),
  after: z.array(z.string()),
  seen_here: z.boolean(),
  counts: countsSchema,
  residue: z.array(residueSchema),
  proof: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  progress: z.object({ done: z.int(), total: z.int().nullable() }).nullable(),
  error_code: z.string().nullable(),
  attempts: z.int(),
  wake_at: z.string().nullable(),
  latest_safe_start: z.string(),
  settled_at: z.string().nullable(),
  revisit_at: z.string().nullable(),
});

/** What a task would do, as the API shows it. */
export const dryRunSchema = z.object({
  id: z.string(),
  system: z.string(),
  identifier: identifierSchema,
  result: z.enum(['counted', 'unknown', 'failed']).describe('unknown: the system cannot tell.'),
  counts: countsSchema,
  residue: z.array(residueSchema),
  error_code: z.string().nullable(),
});

/** Gives what a task would do as the API shows it. */
export function dryRunView({ task, result }: DryRun): z.infer<typeof dryRunSchema> {
  const counted = result.is === 'counted' ? { counts: result.counts, residue: [...result.residue] } : { counts: {}, residue: [] };
  return { id: formatId('task', task.id), system: task.connection, identifier: { kind: task.identifier_kind, commitment: task.commitment }, result: result.is, ...counted, error_code: result.is === 'failed' ? result.code : null };
}

/** Gives a task as the API shows it. */
export function taskView(task: TaskRow): z.infer<typeof taskSchema> {
  const time = (value: Date | null): string | null => (value === null ? null : value.toISOString());
  return {
    id: formatId('task', task.id),
    system: task.connection,
    connector: task.connector,
    identifier: { kind: task.identifier_kind, commitment: task.commitment },
    action: task.action,
    decision: task.decision,
    status: task.status,
    outcome: task.outcome,
    confirmation: task.confirmation,
    after: task.after.map((id) => formatId('task', id)),
    seen_here: task.seen_here,
    counts: task.counts,
    residue: [...task.residue],
    proof: task.proof,
    progress: task.progress_done === null ? null : { done: task.progress_done, total: task.progress_total },
    error_code: task.error_code,
    attempts: task.attempts_total,
    wake_at: time(task.wake_at),
    latest_safe_start: task.latest_safe_start.toISOString(),
    settled_at: time(task.settled_at),
    revisit_at: time(task.revisit_at),
  };
}

/** A plan as the API shows it: the identifiers and how each was found, and the tasks; a preview before resolution is done. */
export const planSchema = z.object({
  preview: z.boolean().describe('True while the plan is a forecast from what is known so far'),
  warnings: z.array(z.object({ code: z.enum(['erasure_has_begun']), request_id: z.string() })).describe('erasure_has_begun: the person’s data is being erased, or was, under this other request, so that no copy will have it.'),
  identifiers: z.array(
    z.object({ id: z.string(), kind: identifierKindSchema, commitment: z.string(), found_by: z.string(), via: z.string().nullable(), confidence: z.number(), seen_in: z.array(z.string()) }),
  ),
  tasks: z.array(
    z.object({
      id: z.string().nullable(),
      system: z.string(),
      connector: z.string(),
      identifier: identifierSchema,
      action: z.string(),
      decision: decisionSchema,
      after: z.array(z.string()).describe('Systems whose tasks come first'),
      seen_here: z.boolean(),
      latest_safe_start: z.string(),
      status: z.string().nullable(),
      outcome: outcomeSchema.nullable(),
    }),
  ),
});

/** Gives a plan as the API shows it, from what the vault describes, the planned tasks, and the stored ones where they exist. */
export function planView(request: Pick<RequestCore, 'erased_under'>, identifiers: readonly DescribedIdentifier[], planned: readonly PlannedTask[], stored: readonly TaskRow[]): z.infer<typeof planSchema> {
  const after = new Map(planned.map((each) => [each.connection, each.afterConnections]));
  const forecast = planned.map((each) => ({
    id: null,
    system: each.connection,
    connector: each.connector,
    identifier: { kind: each.identifierKind, commitment: each.commitment },
    action: each.action,
    decision: each.decision,
    after: [...each.afterConnections],
    seen_here: each.seenHere,
    latest_safe_start: new Date(each.latestSafeStart).toISOString(),
    status: null,
    outcome: null,
  }));
  const systems = new Map(stored.map((each) => [each.id, each.connection]));
  const real = stored.map((each) => ({
    id: formatId('task', each.id),
    system: each.connection,
    connector: each.connector,
    identifier: { kind: each.identifier_kind, commitment: each.commitment },
    action: each.action,
    decision: each.decision,
    after: [...new Set([...each.after.flatMap((id) => systems.get(id) ?? []), ...(after.get(each.connection) ?? [])])],
    seen_here: each.seen_here,
    latest_safe_start: each.latest_safe_start.toISOString(),
    status: each.status,
    outcome: each.outcome,
  }));
  return {
    preview: stored.length === 0,
    warnings: request.erased_under === null ? [] : [{ code: 'erasure_has_begun', request_id: outsideId(request.erased_under) }],
    identifiers: identifiers.map((each) => ({
      id: formatId('identifier', each.id),
      kind: each.kind,
      commitment: each.commitment,
      found_by: each.found_by,
      via: each.via === null ? null : formatId('identifier', each.via),
      confidence: each.confidence,
      seen_in: [...each.seen_in],
    })),
    tasks: stored.length === 0 ? forecast : real,
  };
}

/** A manual task as the API shows it. */
export const manualTaskSchema = z.object({
  id: z.string(),
  request_id: z.string(),
  task_id: z.string().nullable(),
  reason_code: z.string(),
  opened_at: z.string(),
  settled_at: z.string().nullable(),
  settled_by: z.string().nullable(),
  settled_how: z.string().nullable(),
});

/** Gives a manual task as the API shows it. */
export function manualTaskView(task: ManualTask): z.infer<typeof manualTaskSchema> {
  return {
    id: formatId('manualTask', task.id),
    request_id: formatId('request', task.request_id),
    task_id: task.task_id === null ? null : formatId('task', task.task_id),
    reason_code: task.reason_code,
    opened_at: task.opened_at.toISOString(),
    settled_at: task.settled_at?.toISOString() ?? null,
    settled_by: task.settled_by,
    settled_how: task.settled_how,
  };
}
