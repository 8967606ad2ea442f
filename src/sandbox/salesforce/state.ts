import { z } from 'zod';
import { createWindows, type Windows } from '../front-door.ts';
import { createSentinels, type Sentinels } from '../sentinels.ts';

/** The objects that this org has, and the prefix of their ids. */
export const PREFIXES = { Contact: '003', Lead: '00Q', Case: '500' } as const;
/** An object's name. */
export type ObjectName = keyof typeof PREFIXES;

const fields = z.record(z.string(), z.union([z.string(), z.boolean(), z.number(), z.null()]));

/** What can be planted in the Salesforce simulator. A case's `ContactId` must be the id of a planted contact. */
export const salesforceSeedSchema = z.strictObject({
  account: z
    .strictObject({
      may_hard_delete: z.boolean().optional(),
      requests_per_day: z.int().positive().optional(),
      query_batch_size: z.int().min(1).max(2000).optional(),
      session_ms: z.int().positive().optional(),
      polls_per_stage: z.int().positive().optional(),
      stage_ms: z.int().positive().optional(),
    })
    .optional(),
  records: z.array(z.strictObject({ object: z.enum(['Contact', 'Lead', 'Case']), Id: z.string().length(18).optional(), fields, in_recycle_bin: z.boolean().optional() })).optional(),
});
/** The seed of the Salesforce simulator, before it is checked. */
export type SalesforceSeed = z.input<typeof salesforceSeedSchema>;

/** One record. */
export interface SalesforceRecord {
  readonly id: string;
  readonly object: ObjectName;
  readonly fields: Readonly<Record<string, string | number | boolean | null>>;
  /** In the recycle bin since. */
  deletedAtMs: number | undefined;
  /** Out of the recycle bin for good; `queryAll` may go on showing it for a day. */
  purgedAtMs: number | undefined;
}

/** One bulk job. */
export interface BulkJob {
  readonly id: string;
  readonly object: ObjectName;
  readonly operation: 'delete' | 'hardDelete';
  readonly createdAtMs: number;
  ids: readonly string[];
  state: 'Open' | 'UploadComplete' | 'InProgress' | 'JobComplete' | 'Aborted';
  failed: readonly { readonly id: string; readonly error: string }[];
  done: readonly string[];
  polls: number;
  sinceMs: number;
  lying: boolean;
}

/** The settings of the org. */
export interface SalesforceAccount {
  readonly may_hard_delete: boolean;
  readonly requests_per_day: number;
  readonly query_batch_size: number;
  readonly session_ms: number;
  readonly polls_per_stage: number;
  readonly stage_ms: number;
}

/** Everything that one Salesforce org holds. */
export interface SalesforceState {
  readonly records: Map<string, SalesforceRecord>;
  readonly jobs: Map<string, BulkJob>;
  /** Access tokens and when they were issued. */
  readonly sessions: Map<string, number>;
  /** Queries whose results are read page by page. */
  readonly cursors: Map<string, { readonly fields: readonly string[]; readonly found: readonly SalesforceRecord[] }>;
  readonly sentinels: Sentinels;
  readonly windows: Windows;
  account: SalesforceAccount;
  sequence: number;
}

/** An empty org, without the permission to delete for good. */
export function createSalesforceState(): SalesforceState {
  return {
    records: new Map(),
    jobs: new Map(),
    sessions: new Map(),
    cursors: new Map(),
    sentinels: createSentinels(),
    windows: createWindows(),
    // Documented: 100,000 calls a day for an Enterprise org, 2,000 records a page, sessions of two hours unless set otherwise.
    account: { may_hard_delete: false, requests_per_day: 100_000, query_batch_size: 2000, session_ms: 7_200_000, polls_per_stage: 1, stage_ms: 60_000 },
    sequence: 0,
  };
}

/** The next number of the org, in the form that ids have behind their prefix. */
export function nextId(state: SalesforceState, prefix: string): string {
  state.sequence += 1;
  return `${prefix}${String(state.sequence).padStart(12, '0')}AAA`;
}

/** The address whose sentinel applies to a record. */
export function ownerOf(record: SalesforceRecord): string | undefined {
  const email = record.fields['Email'] ?? record.fields['SuppliedEmail'];
  return typeof email === 'string' ? email : undefined;
}

/** Plants records and sets the org up; answers what was planted. */
export function plantSalesforce(state: SalesforceState, data: unknown, nowMs: number): unknown {
  const seed = salesforceSeedSchema.parse(data);
  state.account = { ...state.account, ...Object.fromEntries(Object.entries(seed.account ?? {}).filter(([, value]) => value !== undefined)) };
  const records = (seed.records ?? []).map((each) => {
    const record: SalesforceRecord = {
      id: each.Id ?? nextId(state, PREFIXES[each.object]),
      object: each.object,
      fields: each.fields,
      deletedAtMs: each.in_recycle_bin === true ? nowMs : undefined,
      purgedAtMs: undefined,
    };
    state.records.set(record.id, record);
    return record;
  });
  return { records };
}
