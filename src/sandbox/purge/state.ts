import { z } from 'zod';
import { createSentinels, type Sentinels } from '../sentinels.ts';

const accountSchema = z.strictObject({
  /** How callers prove who they are. */
  auth: z.enum(['none', 'bearer', 'basic', 'api_key', 'hmac', 'oauth2']).optional(),
  /** True: an erasure is done when it is answered. */
  is_immediate: z.boolean().optional(),
  polls_per_stage: z.int().positive().optional(),
  stage_ms: z.int().positive().optional(),
  /** What it says while a job is not over: ask again after so many seconds. */
  retry_after: z.int().positive().optional(),
  /** The status for a key that it has seen before; the body is the original job either way. */
  repeat_status: z.union([z.literal(200), z.literal(409)]).optional(),
  /** True: it breaks its promise and makes another job for the same key. */
  changes_jobs: z.boolean().optional(),
  /** How often it says that it does not know a job that it has. */
  forgets_jobs: z.int().nonnegative().optional(),
  /** The end of every job instead of doing it. */
  fails_jobs: z.boolean().optional(),
  /** True: it says completed to an erasure of somebody it does not know, and counts nothing. */
  claims_unknown: z.boolean().optional(),
  requests_per_second: z.int().positive().optional(),
  page_size: z.int().positive().optional(),
});

/** What can be planted in the purge simulator. */
export const purgeSeedSchema = z.strictObject({
  account: accountSchema.optional(),
  subjects: z
    .array(
      z.strictObject({
        email: z.string().optional(),
        phone: z.string().optional(),
        external_id: z.string().optional(),
        cases: z.int().nonnegative().optional(),
        notes: z.int().nonnegative().optional(),
        attachments: z.int().nonnegative().optional(),
        /** Kept by law until then. */
        hold: z.strictObject({ legal_basis: z.string(), until: z.string() }).optional(),
      }),
    )
    .optional(),
});
/** The seed of the purge simulator, before it is checked. */
export type PurgeSeed = z.input<typeof purgeSeedSchema>;

/** How the simulated service behaves. */
export type Account = { -readonly [Key in keyof z.output<typeof accountSchema>]-?: Exclude<z.output<typeof accountSchema>[Key], undefined> };

/** One person's data in the service. */
export interface Subject {
  readonly id: string;
  readonly email?: string | undefined;
  readonly phone?: string | undefined;
  readonly external_id?: string | undefined;
  readonly hold?: { readonly legal_basis: string; readonly until: string } | undefined;
  readonly cases: number;
  readonly notes: number;
  readonly attachments: number;
  /** Ids of the notes that are left, where they are erased one by one. */
  readonly noteIds: Set<string>;
  /** True once it is deleted and not yet for good: searches do not show it. */
  hidden: boolean;
}

/** One accepted erasure. */
export interface Job {
  readonly id: string;
  readonly subject: { readonly kind: string; readonly value: string };
  /** What the caller sent along. */
  readonly origin: { readonly origin_platform?: unknown; readonly gen_job_id?: unknown; readonly scope?: unknown };
  status: 'queued' | 'running' | 'completed' | 'retained' | 'failed';
  deleted: Readonly<Record<string, number>>;
  hold: Subject['hold'];
  lying: boolean;
  polls: number;
  sinceMs: number;
}

/** Everything that one simulated service holds. */
export interface PurgeState {
  readonly subjects: Map<string, Subject>;
  readonly jobs: Map<string, Job>;
  /** Idempotency keys: the job, and what was sent with it. */
  readonly keys: Map<string, { readonly job: string; readonly body: string }>;
  readonly tokens: Set<string>;
  readonly sentinels: Sentinels;
  account: Account;
  next: number;
  window: { at: number; count: number };
}

/** A service with nothing in it. */
export function createPurgeState(): PurgeState {
  return {
    subjects: new Map(),
    jobs: new Map(),
    keys: new Map(),
    tokens: new Set(),
    sentinels: createSentinels(),
    account: {
      auth: 'bearer',
      is_immediate: false,
      polls_per_stage: 1,
      stage_ms: 5000,
      retry_after: 1,
      repeat_status: 409,
      changes_jobs: false,
      forgets_jobs: 0,
      fails_jobs: false,
      claims_unknown: false,
      requests_per_second: 1000,
      page_size: 50,
    },
    next: 1,
    window: { at: 0, count: 0 },
  };
}

/** Plants people and sets how the service behaves; answers what was made. */
export function plantPurge(state: PurgeState, data: unknown): readonly Subject[] {
  const seed = purgeSeedSchema.parse(data);
  state.account = { ...state.account, ...(Object.fromEntries(Object.entries(seed.account ?? {}).filter(([, value]) => value !== undefined)) as Partial<Account>) };
  return (seed.subjects ?? []).map((each) => {
    const id = `sub_${state.next}`;
    const noteIds = new Set(Array.from({ length: each.notes ?? 0 }, (_, at) => `${id}-note-${at}`));
    const subject: Subject = { ...each, id, cases: each.cases ?? 0, notes: each.notes ?? 0, attachments: each.attachments ?? 0, noteIds, hidden: false };
    state.next += 1;
    state.subjects.set(subject.id, subject);
    return subject;
  });
}

/** Every subject that an identifier is of: addresses without case, everything else exactly. */
export function subjectsOf(state: PurgeState, kind: string, value: string): readonly Subject[] {
  const same = (held: string | undefined): boolean => held !== undefined && (kind === 'email' ? held.toLowerCase() === value.toLowerCase() : held === value);
  return [...state.subjects.values()].filter((each) => same({ email: each.email, phone: each.phone, external_id: each.external_id }[kind]));
}
