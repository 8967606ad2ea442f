import { z } from 'zod';
import { createWindows, type Windows } from '../front-door.ts';
import { createSentinels, type Sentinels } from '../sentinels.ts';

/** Object types that can hang on a contact and outlive it. */
const associated = z.strictObject({ type: z.enum(['notes', 'deals', 'tickets', 'companies']), id: z.string() });

/** What can be planted in the HubSpot simulator. */
export const hubspotSeedSchema = z.strictObject({
  account: z
    .strictObject({
      requests_per_ten_seconds: z.int().positive().optional(),
      searches_per_second: z.int().positive().optional(),
      search_lag_ms: z.int().nonnegative().optional(),
    })
    .optional(),
  contacts: z
    .array(
      z.strictObject({
        id: z.string().regex(/^\d+$/u).optional(),
        properties: z.record(z.string(), z.string()),
        archived: z.boolean().optional(),
        associations: z.array(associated).optional(),
      }),
    )
    .optional(),
});
/** The seed of the HubSpot simulator, before it is checked. */
export type HubspotSeed = z.input<typeof hubspotSeedSchema>;

/** One contact. */
export interface Contact {
  readonly id: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
  /** In the recycle bin: out of every search, restorable for 90 days. */
  archivedAtMs: number | undefined;
  readonly associations: readonly z.output<typeof associated>[];
}

/** The settings of the account. */
export interface HubspotAccount {
  readonly requests_per_ten_seconds: number;
  readonly searches_per_second: number;
  /** How long the search index goes on showing a contact that is gone. */
  readonly search_lag_ms: number;
}

/** Everything that one HubSpot account holds. */
export interface HubspotState {
  readonly contacts: Map<string, Contact>;
  /** Contacts that are gone and that the search index still shows, until when. */
  readonly stale: Map<string, { readonly contact: Contact; readonly untilMs: number }>;
  /** Addresses that can no longer be added. */
  readonly blocklist: Set<string>;
  readonly sentinels: Sentinels;
  readonly windows: Windows;
  account: HubspotAccount;
  sequence: number;
}

/** An empty account with the limits of a free or starter plan. */
export function createHubspotState(): HubspotState {
  return {
    contacts: new Map(),
    stale: new Map(),
    blocklist: new Set(),
    sentinels: createSentinels(),
    windows: createWindows(),
    account: { requests_per_ten_seconds: 100, searches_per_second: 5, search_lag_ms: 0 },
    sequence: 0,
  };
}

/** Every address of a contact, the additional ones included, in lower case. */
export function addressesOf(contact: Contact): string[] {
  const { email, hs_additional_emails: more = '' } = contact.properties;
  return [email ?? '', ...more.split(';')].filter((each) => each !== '').map((each) => each.toLowerCase());
}

/** Plants contacts and sets the account up; answers the planted contacts. */
export function plantHubspot(state: HubspotState, data: unknown, nowMs: number): unknown {
  const seed = hubspotSeedSchema.parse(data);
  state.account = { ...state.account, ...Object.fromEntries(Object.entries(seed.account ?? {}).filter(([, value]) => value !== undefined)) };
  const contacts = (seed.contacts ?? []).map((each) => {
    state.sequence += 1;
    const contact: Contact = {
      id: each.id ?? String(5000 + state.sequence),
      properties: each.properties,
      createdAtMs: nowMs,
      archivedAtMs: each.archived === true ? nowMs : undefined,
      associations: each.associations ?? [],
    };
    state.contacts.set(contact.id, contact);
    return contact;
  });
  return { contacts };
}
