import { z } from 'zod';
import { createWindows, type Windows } from '../front-door.ts';
import { createSentinels, type Sentinels } from '../sentinels.ts';

const ticketStatus = z.enum(['new', 'open', 'pending', 'hold', 'solved', 'closed']);

/** What can be planted in the Zendesk simulator. A ticket's `requester` is the e-mail address of a planted user. */
export const zendeskSeedSchema = z.strictObject({
  account: z
    .strictObject({
      requests_per_minute: z.int().positive().optional(),
      permanent_deletions_per_ten_minutes: z.int().positive().optional(),
      polls_per_stage: z.int().positive().optional(),
      stage_ms: z.int().positive().optional(),
      page_size: z.int().min(1).max(100).optional(),
    })
    .optional(),
  users: z
    .array(
      z.strictObject({
        id: z.int().positive().optional(),
        name: z.string(),
        email: z.string().optional(),
        /** Further addresses under which the user is found. */
        identities: z.array(z.string()).optional(),
        phone: z.string().optional(),
        external_id: z.string().optional(),
        deleted: z.boolean().optional(),
      }),
    )
    .optional(),
  tickets: z.array(z.strictObject({ requester: z.string(), subject: z.string(), status: ticketStatus })).optional(),
});
/** The seed of the Zendesk simulator, before it is checked. */
export type ZendeskSeed = z.input<typeof zendeskSeedSchema>;

/** One step of a permanent deletion in one area of compliance. */
export interface DeletionStep {
  readonly action: 'request_deletion' | 'started' | 'complete';
  readonly application: string;
  readonly atMs: number;
}

/** One user. */
export interface User {
  readonly id: number;
  name: string;
  email: string | null;
  identities: readonly string[];
  phone: string | null;
  external_id: string | null;
  readonly createdAtMs: number;
  updatedAtMs: number;
  /** Soft deletion: out of every search; queued for the permanent one after 30 days. */
  deletedAtMs: number | undefined;
  permanentlyDeletedAtMs: number | undefined;
  steps: readonly DeletionStep[];
  polls: number;
  sinceMs: number;
  /** The address whose sentinel applies; it goes on counting when the address is gone. */
  readonly owner: string | undefined;
}

/** One ticket. Its text stays when its requester is deleted. */
export interface Ticket {
  readonly id: number;
  readonly requesterId: number;
  readonly subject: string;
  readonly status: z.output<typeof ticketStatus>;
  /** Soft deletion: in no list but that of the deleted tickets. */
  deletedAtMs: number | undefined;
}

/** One job that deletes a ticket for good. */
export interface TicketJob {
  readonly id: string;
  readonly ticketId: number;
  readonly lying: boolean;
  status: 'queued' | 'working' | 'completed';
  polls: number;
  sinceMs: number;
}

/** The settings of the account. */
export interface ZendeskAccount {
  readonly requests_per_minute: number;
  readonly permanent_deletions_per_ten_minutes: number;
  readonly polls_per_stage: number;
  readonly stage_ms: number;
  readonly page_size: number;
}

/** Everything that one Zendesk account holds. */
export interface ZendeskState {
  readonly users: Map<number, User>;
  readonly tickets: Map<number, Ticket>;
  readonly jobs: Map<string, TicketJob>;
  readonly sentinels: Sentinels;
  readonly windows: Windows;
  account: ZendeskAccount;
  sequence: number;
}

/** An empty account; a permanent deletion moves one stage for each look at its progress, or every hour. */
export function createZendeskState(): ZendeskState {
  return {
    users: new Map(),
    tickets: new Map(),
    jobs: new Map(),
    sentinels: createSentinels(),
    windows: createWindows(),
    // Documented: 700 permanent deletions in 10 minutes; 400 requests a minute on the Professional plan; 100 users a page.
    account: { requests_per_minute: 400, permanent_deletions_per_ten_minutes: 700, polls_per_stage: 1, stage_ms: 3_600_000, page_size: 100 },
    sequence: 0,
  };
}

/** Plants users and tickets and sets the account up; answers what was planted. */
export function plantZendesk(state: ZendeskState, data: unknown, nowMs: number): unknown {
  const seed = zendeskSeedSchema.parse(data);
  state.account = { ...state.account, ...Object.fromEntries(Object.entries(seed.account ?? {}).filter(([, value]) => value !== undefined)) };
  const users = (seed.users ?? []).map((each) => {
    state.sequence += 1;
    const user: User = {
      id: each.id ?? 35_400_000_000 + state.sequence,
      name: each.name,
      email: each.email ?? null,
      identities: each.identities ?? [],
      phone: each.phone ?? null,
      external_id: each.external_id ?? null,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      deletedAtMs: each.deleted === true ? nowMs : undefined,
      permanentlyDeletedAtMs: undefined,
      steps: [],
      polls: 0,
      sinceMs: nowMs,
      owner: each.email,
    };
    state.users.set(user.id, user);
    return user;
  });
  const tickets = (seed.tickets ?? []).map(({ requester, subject, status }) => {
    const user = [...state.users.values()].find((each) => each.email === requester);
    if (user === undefined) throw new Error('a ticket names a requester that is not planted');
    state.sequence += 1;
    const ticket: Ticket = { id: state.sequence, requesterId: user.id, subject, status, deletedAtMs: undefined };
    state.tickets.set(ticket.id, ticket);
    return ticket;
  });
  return { users, tickets };
}
