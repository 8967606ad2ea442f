import { createSentinels, type Sentinels } from '../sentinels.ts';

/** A stored Stripe object, in the shape in which it is answered. `created` is in seconds. */
export interface StripeObject {
  id: string;
  object: string;
  created: number;
  [field: string]: unknown;
}

/** The collections that the simulator keeps, by the names that their paths use. */
export type Collection =
  | 'balance_transactions'
  | 'charges'
  | 'checkout_sessions'
  | 'customers'
  | 'disputes'
  | 'invoices'
  | 'payment_intents'
  | 'payment_methods'
  | 'refunds'
  | 'setup_intents'
  | 'subscriptions'
  | 'tax_ids';

/** What the redaction simulator stores beside the answered job. */
export interface StoredJob {
  readonly job: StripeObject & { status: string; validation_behavior: string | null };
  readonly objects: Readonly<Record<string, readonly string[]>>;
  errors: readonly StripeObject[];
  polls: number;
  sinceMs: number;
  lying: boolean;
}

/** The settings of the sandbox account. */
export interface StripeAccount {
  readonly has_redaction: boolean;
  readonly requests_per_second: number;
  readonly redaction_polls_per_stage: number;
  readonly redaction_stage_ms: number;
  readonly search_lag_ms: number;
}

/** The first answer given under an idempotency key; `undefined` while the first request is still being executed. */
export interface KeyedAnswer {
  readonly fingerprint: string;
  readonly storedAtMs: number;
  answer: { status: number; body: unknown } | undefined;
}

/** Everything that one Stripe sandbox account holds. */
export interface StripeState {
  readonly objects: Readonly<Record<Collection, Map<string, StripeObject>>>;
  /** The whole lists that an invoice or a subscription shows the first ten of, by its id. */
  readonly embedded: Map<string, readonly StripeObject[]>;
  readonly deleted: Set<string>;
  /** The address under which a customer first became known: sentinels outlive scrubbing and deletion. */
  readonly owners: Map<string, string>;
  /** When each customer last changed, in milliseconds; search sees it later. */
  readonly changedAtMs: Map<string, number>;
  readonly jobs: Map<string, StoredJob>;
  readonly keys: Map<string, KeyedAnswer>;
  readonly recentRequestsMs: number[];
  readonly sentinels: Sentinels;
  account: StripeAccount;
  sequence: number;
}

const DEFAULT_ACCOUNT: StripeAccount = {
  has_redaction: true,
  // Documented for a sandbox; live accounts have 100.
  requests_per_second: 25,
  redaction_polls_per_stage: 1,
  redaction_stage_ms: 60_000,
  search_lag_ms: 0,
};

/** An empty account with Stripe's documented limits. */
export function createStripeState(): StripeState {
  return {
    objects: {
      balance_transactions: new Map(),
      charges: new Map(),
      checkout_sessions: new Map(),
      customers: new Map(),
      disputes: new Map(),
      invoices: new Map(),
      payment_intents: new Map(),
      payment_methods: new Map(),
      refunds: new Map(),
      setup_intents: new Map(),
      subscriptions: new Map(),
      tax_ids: new Map(),
    },
    embedded: new Map(),
    deleted: new Set(),
    owners: new Map(),
    changedAtMs: new Map(),
    jobs: new Map(),
    keys: new Map(),
    recentRequestsMs: [],
    sentinels: createSentinels(),
    account: DEFAULT_ACCOUNT,
    sequence: 0,
  };
}

/** A new id with Stripe's prefix; the same sequence of calls gives the same ids. */
export function nextId(state: StripeState, prefix: string): string {
  state.sequence += 1;
  return `${prefix}_Sbx${String(state.sequence).padStart(11, '0')}`;
}

/** The objects of a collection that belong to a customer, in the order in which they were stored. */
export function ownedBy(state: StripeState, collection: Collection, customer: string): StripeObject[] {
  return [...state.objects[collection].values()].filter((each) => each['customer'] === customer);
}

/** The address whose sentinel applies to an object: its customer's. */
export function ownerEmail(state: StripeState, customer: unknown): string | undefined {
  return typeof customer === 'string' ? state.owners.get(customer) : undefined;
}

/** What is stored, for comparing with what was claimed. */
export function dumpState(state: StripeState): unknown {
  const collections = Object.entries(state.objects).map(([name, items]) => [name, [...items.values()]]);
  return {
    ...(Object.fromEntries(collections) as Record<Collection, StripeObject[]>),
    deleted: [...state.deleted],
    redaction_jobs: [...state.jobs.values()].map((each) => ({ ...each.job, objects: each.objects })),
    account: state.account,
  };
}

