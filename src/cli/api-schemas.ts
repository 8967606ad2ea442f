import { z } from 'zod';
import { confirmationSchema, countsSchema, outcomeSchema, requestStatusSchema, residueSchema, taskStatusSchema, verdictSchema } from '../contract/outcomes.ts';

const identifierSchema = z.object({ kind: z.string(), commitment: z.string() });

/** A request, as far as the command line shows it. */
export const requestSchema = z.object({
  id: z.string(),
  reference: z.string(),
  status: requestStatusSchema,
  right: z.string(),
  law: z.string(),
  source: z.string(),
  verdict: verdictSchema.nullable(),
  reason_code: z.string().nullable(),
  duplicate_of: z.string().nullable(),
  received_at: z.string(),
  verified_at: z.string().nullable(),
  due_at: z.string(),
  closed_at: z.string().nullable(),
});
/** A request, as far as the command line shows it. */
export type Request = z.infer<typeof requestSchema>;

/** A task, as far as the command line shows it. */
export const taskSchema = z.object({
  id: z.string(),
  system: z.string(),
  identifier: identifierSchema,
  action: z.string(),
  status: taskStatusSchema,
  outcome: outcomeSchema.nullable(),
  confirmation: confirmationSchema.nullable(),
  counts: countsSchema,
  residue: z.array(residueSchema),
  progress: z.object({ done: z.int(), total: z.int().nullable() }).nullable(),
  error_code: z.string().nullable(),
  attempts: z.int(),
  wake_at: z.string().nullable(),
});
/** A task, as far as the command line shows it. */
export type Task = z.infer<typeof taskSchema>;

/** A plan, as far as the command line draws it. */
export const planSchema = z.object({
  preview: z.boolean(),
  identifiers: z.array(z.object({ id: z.string(), kind: z.string(), commitment: z.string(), found_by: z.string(), via: z.string().nullable(), seen_in: z.array(z.string()) })),
  tasks: z.array(
    z.object({
      system: z.string(),
      identifier: identifierSchema,
      action: z.string(),
      decision: z.string(),
      after: z.array(z.string()),
      seen_here: z.boolean(),
      status: z.string().nullable(),
      outcome: z.string().nullable(),
    }),
  ),
});
/** A plan, as far as the command line draws it. */
export type Plan = z.infer<typeof planSchema>;

/** What the erasing tasks of a request would do. */
export const dryRunSchema = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      system: z.string(),
      identifier: identifierSchema,
      result: z.enum(['counted', 'unknown', 'failed']),
      counts: countsSchema,
      residue: z.array(residueSchema),
      error_code: z.string().nullable(),
    }),
  ),
});
/** What one erasing task would do. */
export type DryRunItem = z.infer<typeof dryRunSchema>['items'][number];

/** What was opened by an intake. */
export const acceptedSchema = z.object({ id: z.string(), reference: z.string(), status: z.string(), due_at: z.string() });

/** A page of requests. */
export const requestListSchema = z.object({ items: z.array(requestSchema), next_cursor: z.string().nullable() });

/** The tasks of a request. */
export const taskListSchema = z.object({ items: z.array(taskSchema) });

/** What waits for a person. */
export const manualTaskListSchema = z.object({
  items: z.array(z.object({ id: z.string(), request_id: z.string(), task_id: z.string().nullable(), reason_code: z.string(), opened_at: z.string(), settled_how: z.string().nullable() })),
});

/** The configured connections. */
export const connectionListSchema = z.object({
  items: z.array(
    z.object({
      name: z.string(),
      connector: z.string(),
      title: z.string(),
      state: z.string(),
      consecutive_failures: z.int(),
      concurrency: z.int(),
      calls_per_second: z.number(),
      egress: z.array(z.string()),
    }),
  ),
});

/** How a declared system behaved when it was put to the test. */
export const rehearsalSchema = z.object({ name: z.string(), checks: z.array(z.object({ check: z.string(), result: z.enum(['kept', 'violated', 'open']), detail: z.string() })) });

/** What a verification of the audit log found. */
export const auditResultSchema = z.object({
  ok: z.boolean(),
  size: z.int().optional(),
  signed_size: z.int().optional(),
  grade: z.string().optional(),
  check: z.string().optional(),
  message: z.string().optional(),
  seq: z.int().optional(),
});

/** Which master key wraps how much. */
export const keysSchema = z.object({
  master_keys: z.array(z.object({ id: z.string(), role: z.enum(['current', 'other', 'not_configured']), request_keys: z.int(), system_keys: z.int() })),
});
/** A master key, as far as the command line shows it. */
export type MasterKey = z.infer<typeof keysSchema>['master_keys'][number];

/** A key of the audit log. */
export const logKeySchema = z.object({
  id: z.string(),
  state: z.enum(['announced', 'current', 'leaving', 'retired']),
  verifier_key: z.string(),
  signs_until: z.string().nullable(),
  last_size: z.int().nullable(),
});
/** A key of the audit log. */
export type LogKey = z.infer<typeof logKeySchema>;

/** The keys of the audit log. */
export const logKeyListSchema = z.object({ items: z.array(logKeySchema) });
