import { z } from 'zod';
import { createSentinels, type Sentinels } from '../sentinels.ts';

/** The scopes of a PII deletion, as the form's description lists them. */
export const piiScopes = ['interactions', 'analytics', 'recordings', 'webchat', 'email', 'sms', 'social'] as const;
/** How the form's jobs can stand. */
export type PiiStatus = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
/** How GDPR requests can stand: the vendor's own words. */
export type GdprStatus = 'INITIATED' | 'SEARCHING' | 'UPDATING' | 'DELETING' | 'FINALIZING' | 'COMPLETED' | 'ERROR';

const gdprSubjectSchema = z.strictObject({
  name: z.string().optional(),
  userId: z.string().optional(),
  externalContactId: z.string().optional(),
  dialerContactId: z.strictObject({ id: z.string(), contactListId: z.string() }).optional(),
  journeyCustomer: z.strictObject({ type: z.string(), id: z.string() }).optional(),
  socialHandle: z.strictObject({ type: z.enum(['TWITTER', 'INSTAGRAM', 'FACEBOOK', 'APPLE_MESSAGES']), value: z.string() }).optional(),
  externalId: z.string().optional(),
  addresses: z.array(z.string()).optional(),
  phoneNumbers: z.array(z.string()).optional(),
  emailAddresses: z.array(z.string()).optional(),
});
/** A subject in the vendor's shape. */
export type GdprSubject = z.output<typeof gdprSubjectSchema>;

const callbackMode = z.enum(['sent', 'lost', 'twice', 'late', 'reordered', 'forged']);

const accountSchema = z.strictObject({
  client_id: z.string(),
  client_secret: z.string(),
  /** What the client may do. */
  scopes: z.array(z.string()),
  /** Whether the token's answer says so. */
  names_scopes: z.boolean(),
  token_seconds: z.int().positive(),
  requests_per_minute: z.int().positive(),
  /** Whether a second POST with the same `X-Genesys-Request-Id` answers the first one's job. */
  adopts_request_id: z.boolean(),
  /** How long a PII job is queued, and when after its creation it ends, in milliseconds. */
  queued_ms: z.int().min(0),
  job_ms: z.int().min(0),
  /** How long after a refresh was accepted the aggregates are new. */
  refresh_ms: z.int().min(0),
  /** Where completions are told; nowhere when absent. */
  callback_url: z.url().optional(),
  callback_secret: z.string(),
  callbacks: callbackMode,
  callback_late_ms: z.int().min(0),
  /** Where finished exports lie: at the platform itself, or behind a redirect to a signed address, which takes no token. */
  archives: z.enum(['own', 'redirected']),
  /** Each GDPR request goes through four stages of this length. */
  gdpr_stage_ms: z.int().min(0),
});
/** The settings of the organisation. */
export type GenesysAccount = z.output<typeof accountSchema>;

/** What can be planted in the Genesys simulator. */
export const genesysSeedSchema = z.strictObject({
  account: accountSchema.partial().optional(),
  /** What the PII form deletes: records by scope, under exactly this external id. */
  contacts: z
    .array(
      z.strictObject({
        external_id: z.string().min(1),
        /** Whose sentinel applies. */
        email: z.string().optional(),
        records: z.partialRecord(z.enum(piiScopes), z.int().positive()),
        /** How its jobs end. */
        ends: z.enum(['completed', 'failed', 'cancelled', 'never']).default('completed'),
      }),
    )
    .optional(),
  /** What the GDPR API finds and deletes. */
  subjects: z
    .array(
      z.strictObject({
        subject: gdprSubjectSchema,
        ends: z.enum(['COMPLETED', 'ERROR']).default('COMPLETED'),
        /** What each archive of an export of the subject holds. */
        archives: z.array(z.string()).default(['an archive']),
      }),
    )
    .optional(),
});
/** The seed of the Genesys simulator, before it is checked. */
export type GenesysSeed = z.input<typeof genesysSeedSchema>;

/** Somebody whom the contact centre knows under one external id. */
export interface Contact {
  readonly externalId: string;
  readonly owner: string | undefined;
  readonly records: Map<string, number>;
  readonly ends: 'completed' | 'failed' | 'cancelled' | 'never';
}

/** One accepted deletion of the PII form. */
export interface PiiJob {
  readonly id: string;
  readonly externalId: string;
  readonly type: string;
  readonly scope: readonly string[];
  readonly metadata: unknown;
  readonly requestId: string | undefined;
  readonly createdAtMs: number;
  readonly owner: string | undefined;
  readonly lying: boolean;
  status: PiiStatus;
  completedAtMs: number | undefined;
  recordsDeleted: number;
}

/** What a correction replaces by what. */
export interface GdprTerm {
  readonly type: string;
  readonly existingValue: string;
  readonly updatedValue: string;
}

/** One accepted request of the GDPR API. */
export interface GdprRequest {
  readonly id: string;
  readonly subject: GdprSubject;
  readonly createdAtMs: number;
  readonly requestType: 'GDPR_DELETE' | 'GDPR_UPDATE' | 'GDPR_EXPORT';
  readonly terms: readonly GdprTerm[];
  readonly deleteConfirmed: boolean;
  readonly lying: boolean;
  readonly ends: 'COMPLETED' | 'ERROR';
  status: GdprStatus;
  /** Of a finished export. */
  archives: readonly string[];
}

/** A subject that the organisation holds. */
export interface HeldSubject {
  subject: GdprSubject;
  readonly archives: readonly string[];
  readonly ends: 'COMPLETED' | 'ERROR';
}

/** One completion on its way to the configured URL. */
export interface Delivery {
  readonly job: string;
  readonly kind: 'true' | 'forged';
  dueMs: number;
  /** HTTP status of each try; 0 where nobody answered, -1 where it never left. */
  readonly tries: number[];
  isOver: boolean;
}

/** An access token that was given out. */
export interface Token {
  readonly until: number;
  readonly recent: number[];
}

/** Everything that one Genesys Cloud organisation holds. */
export interface GenesysState {
  readonly contacts: Map<string, Contact>;
  readonly jobs: Map<string, PiiJob>;
  readonly subjects: HeldSubject[];
  readonly requests: Map<string, GdprRequest>;
  readonly tokens: Map<string, Token>;
  readonly deliveries: Delivery[];
  /** When accepted refreshes take effect. */
  readonly refreshes: number[];
  readonly sentinels: Sentinels;
  /** The external ids that the analytics aggregates still count. */
  aggregates: readonly string[];
  account: GenesysAccount;
  sequence: number;
}

/** An empty organisation. Jobs end 40 seconds after they were created, GDPR requests two days. */
export function createGenesysState(): GenesysState {
  return {
    contacts: new Map(),
    jobs: new Map(),
    subjects: [],
    requests: new Map(),
    tokens: new Map(),
    deliveries: [],
    refreshes: [],
    sentinels: createSentinels(),
    aggregates: [],
    account: {
      client_id: 'sandbox-client',
      client_secret: 'sandbox-client-secret',
      scopes: ['pii:delete', 'pii:view', 'interaction:view', 'analytics:export', 'gdpr'],
      names_scopes: true,
      token_seconds: 86_400,
      // Documented: 300 a minute for each client-credentials token.
      requests_per_minute: 300,
      adopts_request_id: true,
      queued_ms: 5000,
      job_ms: 40_000,
      refresh_ms: 60_000,
      callback_secret: 'sandbox-callback-secret',
      callbacks: 'sent',
      callback_late_ms: 3_600_000,
      archives: 'own',
      gdpr_stage_ms: 43_200_000,
    },
    sequence: 0,
  };
}

/** A new id in the form of the vendor's; the same sequence of calls gives the same ids. */
export function nextId(state: GenesysState): string {
  state.sequence += 1;
  return `5b000000-0000-4000-8000-${state.sequence.toString(16).padStart(12, '0')}`;
}

/** Counts everybody who has records now: what a refresh makes of the aggregates. */
export function aggregate(state: GenesysState): void {
  state.aggregates = [...state.contacts.values()].filter((each) => each.records.size > 0).map((each) => each.externalId);
}

/** Plants contacts and subjects and sets the organisation up; the aggregates are fresh afterwards. Answers what was planted. */
export function plantGenesys(state: GenesysState, data: unknown): unknown {
  const seed = genesysSeedSchema.parse(data);
  const set = Object.entries(seed.account ?? {}).filter(([, value]) => value !== undefined);
  state.account = accountSchema.parse({ ...state.account, ...Object.fromEntries(set) });
  for (const { external_id: externalId, email, records, ends } of seed.contacts ?? []) {
    if (state.contacts.has(externalId)) throw new Error('this external id is already held');
    state.contacts.set(externalId, { externalId, owner: email, records: new Map(Object.entries(records)), ends });
  }
  state.subjects.push(...(seed.subjects ?? []));
  aggregate(state);
  return { contacts: seed.contacts ?? [], subjects: seed.subjects ?? [] };
}
