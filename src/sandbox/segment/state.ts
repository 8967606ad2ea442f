import { z } from 'zod';
import { createSentinels, type Sentinels } from '../sentinels.ts';

/** The statuses of a regulation and of each destination in it. */
export const STATUSES = ['FAILED', 'FINISHED', 'INITIALIZED', 'INVALID', 'NOT_SUPPORTED', 'PARTIAL_SUCCESS', 'RUNNING'] as const;
/** One of `STATUSES`. */
export type RegulationStatus = (typeof STATUSES)[number];

/** An identifier of a profile, as the Profile API answers it. */
export interface ExternalId {
  readonly source_id: string;
  readonly collection: 'users';
  readonly id: string;
  readonly type: string;
  readonly created_at: string;
  readonly encoding: 'none';
  readonly first_message_id: string;
}

/** One unified profile. */
export interface Profile {
  readonly id: string;
  readonly createdAtMs: number;
  updatedAtMs: number;
  traits: Record<string, unknown>;
  externalIds: ExternalId[];
  events: Record<string, unknown>[];
  links: Record<string, unknown>[];
  /** The e-mail address whose sentinel applies, from the first one known. */
  readonly owner: string | undefined;
}

/** One accepted regulation. */
export interface StoredRegulation {
  readonly id: string;
  readonly regulationType: string;
  readonly subjectType: string;
  readonly subjects: readonly string[];
  readonly createdAtMs: number;
  readonly owners: readonly string[];
  status: RegulationStatus;
  finishedAtMs: number | undefined;
  polls: number;
  sinceMs: number;
  lying: boolean;
}

const finalStatus = z.enum(['FAILED', 'FINISHED', 'INVALID', 'NOT_SUPPORTED', 'PARTIAL_SUCCESS']);

/** What can be planted in the Segment simulator. `events` carry their own `timestamp`; only the last 14 days are ever answered. */
export const segmentSeedSchema = z.strictObject({
  account: z
    .strictObject({
      space_id: z.string().optional(),
      workspace_id: z.string().optional(),
      polls_per_stage: z.int().positive().optional(),
      stage_ms: z.int().positive().optional(),
      regulations_per_minute: z.int().positive().optional(),
      profile_requests_per_second: z.int().positive().optional(),
      destinations: z
        .array(z.strictObject({ name: z.string(), id: z.string(), final_status: finalStatus, err_string: z.string().optional() }))
        .optional(),
    })
    .optional(),
  profiles: z
    .array(
      z.strictObject({
        external_ids: z.array(z.strictObject({ type: z.string(), id: z.string() })).min(1),
        traits: z.record(z.string(), z.unknown()).optional(),
        events: z.array(z.record(z.string(), z.unknown())).optional(),
        links: z.array(z.record(z.string(), z.unknown())).optional(),
      }),
    )
    .optional(),
});
/** The seed of the Segment simulator, before it is checked. */
export type SegmentSeed = z.input<typeof segmentSeedSchema>;

interface Destination {
  readonly name: string;
  readonly id: string;
  readonly final_status: z.output<typeof finalStatus>;
  readonly err_string?: string | undefined;
}

/** The settings of the workspace and its one space. */
export interface SegmentAccount {
  readonly space_id: string;
  readonly workspace_id: string;
  readonly polls_per_stage: number;
  readonly stage_ms: number;
  readonly regulations_per_minute: number;
  readonly profile_requests_per_second: number;
  readonly destinations: readonly Destination[];
}

/** Everything that one Segment workspace holds. */
export interface SegmentState {
  readonly profiles: Map<string, Profile>;
  /** `type:lower-case id` → profile id. */
  readonly index: Map<string, string>;
  readonly regulations: Map<string, StoredRegulation>;
  readonly suppressed: Set<string>;
  readonly sentinels: Sentinels;
  readonly recent: Map<string, number[]>;
  account: SegmentAccount;
  sequence: number;
}

/** An empty workspace whose regulations finish with the second poll, or after two hours. */
export function createSegmentState(): SegmentState {
  return {
    profiles: new Map(),
    index: new Map(),
    regulations: new Map(),
    suppressed: new Set(),
    sentinels: createSentinels(),
    recent: new Map(),
    account: {
      space_id: 'spa_sandbox',
      workspace_id: 'wsp_sandbox',
      polls_per_stage: 1,
      stage_ms: 3_600_000,
      // Documented: 600 a minute for creating regulations, 100 a second for each space of the Profile API.
      regulations_per_minute: 600,
      profile_requests_per_second: 100,
      destinations: [{ name: 'Sandbox Warehouse', id: 'dst_sandbox', final_status: 'FINISHED' }],
    },
    sequence: 0,
  };
}

/** A new id; the same sequence of calls gives the same ids. */
export function nextId(state: SegmentState, prefix: string): string {
  state.sequence += 1;
  return `${prefix}_sbx${String(state.sequence).padStart(9, '0')}`;
}

/** Counts a request against a sliding window; answers how many were counted before it, or undefined when the limit is reached. */
export function countWithin(state: SegmentState, name: string, limit: number, windowMs: number, nowMs: number): number | undefined {
  const kept = (state.recent.get(name) ?? []).filter((at) => at > nowMs - windowMs);
  state.recent.set(name, kept);
  if (kept.length >= limit) return undefined;
  kept.push(nowMs);
  return kept.length - 1;
}

const keyOf = (type: string, id: string): string => `${type}:${id.toLowerCase()}`;

/** The profile that holds an identifier; identifiers are compared in lower case. */
export function profileBy(state: SegmentState, type: string, id: string): Profile | undefined {
  const found = state.index.get(keyOf(type, id));
  return found === undefined ? undefined : state.profiles.get(found);
}

/** Gives a profile an identifier that no profile holds yet. */
export function addExternalId(state: SegmentState, profile: Profile, type: string, id: string, nowMs: number): void {
  if (state.index.has(keyOf(type, id))) return;
  state.index.set(keyOf(type, id), profile.id);
  profile.externalIds.push({
    source_id: 'src_sandbox',
    collection: 'users',
    id,
    type,
    created_at: new Date(nowMs).toISOString(),
    encoding: 'none',
    first_message_id: nextId(state, 'msg'),
  });
}

/** Stores a new profile with its identifiers. */
export function addProfile(
  state: SegmentState,
  ids: readonly { type: string; id: string }[],
  traits: Record<string, unknown>,
  nowMs: number,
): Profile {
  const email = ids.find((each) => each.type === 'email')?.id ?? traits['email'];
  const profile: Profile = {
    id: nextId(state, 'use'),
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    traits,
    externalIds: [],
    events: [],
    links: [],
    owner: typeof email === 'string' ? email : undefined,
  };
  state.profiles.set(profile.id, profile);
  for (const { type, id } of ids) addExternalId(state, profile, type, id, nowMs);
  return profile;
}

/** Removes a profile and every way to find it. */
export function removeProfile(state: SegmentState, profile: Profile): void {
  for (const { type, id } of profile.externalIds) state.index.delete(keyOf(type, id));
  state.profiles.delete(profile.id);
}

/** Plants profiles and sets the workspace up; answers the planted profiles. */
export function plantSegment(state: SegmentState, data: unknown, nowMs: number): unknown {
  const seed = segmentSeedSchema.parse(data);
  const set = Object.entries(seed.account ?? {}).filter(([, value]) => value !== undefined);
  state.account = { ...state.account, ...Object.fromEntries(set) };
  const profiles = (seed.profiles ?? []).map((each) => {
    const taken = each.external_ids.find(({ type, id }) => state.index.has(keyOf(type, id)));
    if (taken !== undefined) throw new Error(`an identifier of type ${taken.type} is already held by another profile`);
    const profile = addProfile(state, each.external_ids, { ...each.traits }, nowMs);
    profile.events = each.events ?? [];
    profile.links = each.links ?? [];
    return profile;
  });
  return { profiles };
}
