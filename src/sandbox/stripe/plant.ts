import { z } from 'zod';
import { nextId, type Collection, type StripeObject, type StripeState } from './state.ts';

const address = z.strictObject({
  city: z.string().nullish(),
  country: z.string().nullish(),
  line1: z.string().nullish(),
  line2: z.string().nullish(),
  postal_code: z.string().nullish(),
  state: z.string().nullish(),
});
const shipping = z.strictObject({ name: z.string(), phone: z.string().nullish(), address });
const created = z.int().optional();

const customerSeed = z.strictObject({
  id: z.string().startsWith('cus_').optional(),
  created,
  email: z.string().nullish(),
  name: z.string().nullish(),
  phone: z.string().nullish(),
  description: z.string().nullish(),
  address: address.nullish(),
  shipping: shipping.nullish(),
  metadata: z.record(z.string(), z.string()).optional(),
  tax_ids: z.array(z.strictObject({ type: z.string(), value: z.string() })).optional(),
  payment_methods: z.array(z.strictObject({ last4: z.string().length(4) })).optional(),
  subscriptions: z.array(z.strictObject({ status: z.enum(['active', 'canceled', 'past_due', 'trialing']), items: z.int().optional() })).optional(),
  payment_intents: z.array(z.strictObject({ status: z.enum(['requires_payment_method', 'succeeded', 'canceled']), created })).optional(),
  charges: z
    .array(
      z.strictObject({
        created,
        amount: z.int().optional(),
        description: z.string().optional(),
        refunded: z.int().positive().optional(),
        dispute: z.enum(['needs_response', 'under_review', 'won', 'lost']).optional(),
      }),
    )
    .optional(),
  invoices: z.array(z.strictObject({ created, status: z.enum(['draft', 'open', 'paid', 'void']), total: z.int().optional(), lines: z.int().optional() })).optional(),
  setup_intents: z.array(z.strictObject({ status: z.enum(['requires_payment_method', 'succeeded', 'canceled']) })).optional(),
  checkout_sessions: z.array(z.strictObject({ status: z.enum(['open', 'complete', 'expired']) })).optional(),
  balance_transactions: z.array(z.strictObject({ amount: z.int(), description: z.string().optional() })).optional(),
});

/** What can be planted in the Stripe simulator; times are in seconds since the epoch, and default to 200 days ago. */
export const stripeSeedSchema = z.strictObject({
  account: z
    .strictObject({
      has_redaction: z.boolean().optional(),
      requests_per_second: z.int().positive().optional(),
      redaction_polls_per_stage: z.int().positive().optional(),
      redaction_stage_ms: z.int().positive().optional(),
      search_lag_ms: z.int().nonnegative().optional(),
    })
    .optional(),
  customers: z.array(customerSeed).optional(),
});
/** The seed of the Stripe simulator, before it is checked. */
export type StripeSeed = z.input<typeof stripeSeedSchema>;
type CustomerSeed = z.output<typeof customerSeed>;

/** Old enough that transactions may be redacted (90 days), unless the seed says otherwise. */
const DEFAULT_AGE_SECONDS = 200 * 86_400;

const emptyList = (url: string): object => ({ object: 'list', data: [], has_more: false, url });

/** A customer as Stripe answers it, with nothing known about the person. */
export function blankCustomer(id: string, createdSeconds: number): StripeObject {
  return {
    id,
    object: 'customer',
    address: null,
    balance: 0,
    created: createdSeconds,
    currency: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: null,
    invoice_prefix: id.slice(-8).toUpperCase(),
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null },
    livemode: false,
    metadata: {},
    name: null,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: null,
  };
}

interface Owner {
  readonly id: string;
  readonly seed: CustomerSeed;
  readonly created: number;
}

const billing = (seed: CustomerSeed): object => ({
  address: seed.address ?? null,
  email: seed.email ?? null,
  name: seed.name ?? null,
  phone: seed.phone ?? null,
});

function chargeOf(owner: Owner, id: string, each: NonNullable<CustomerSeed['charges']>[number]): StripeObject {
  const amount = each.amount ?? 2000;
  return {
    id,
    object: 'charge',
    amount,
    amount_captured: amount,
    amount_refunded: each.refunded ?? 0,
    billing_details: billing(owner.seed),
    captured: true,
    created: each.created ?? owner.created,
    currency: 'usd',
    customer: owner.id,
    description: each.description ?? null,
    disputed: each.dispute !== undefined,
    invoice: null,
    livemode: false,
    metadata: {},
    paid: true,
    payment_intent: null,
    receipt_email: owner.seed.email ?? null,
    refunded: each.refunded === amount,
    refunds: emptyList(`/v1/charges/${id}/refunds`),
    shipping: owner.seed.shipping ?? null,
    status: 'succeeded',
  };
}

function disputeOf(owner: Owner, id: string, charge: StripeObject, status: string): StripeObject {
  return {
    id,
    object: 'dispute',
    amount: charge['amount'],
    balance_transactions: [],
    charge: charge.id,
    created: charge.created + 86_400,
    currency: 'usd',
    evidence: { customer_email_address: owner.seed.email ?? null, customer_name: owner.seed.name ?? null, customer_purchase_ip: '192.0.2.7' },
    evidence_details: { due_by: charge.created + 864_000, has_evidence: true, past_due: false, submission_count: 1 },
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: charge['payment_intent'],
    reason: 'general',
    status,
  };
}

function invoiceOf(owner: Owner, id: string, each: NonNullable<CustomerSeed['invoices']>[number]): StripeObject {
  const total = each.total ?? 2000;
  const at = each.created ?? owner.created;
  const isPaid = each.status === 'paid';
  return {
    id,
    object: 'invoice',
    amount_due: total,
    amount_paid: isPaid ? total : 0,
    amount_remaining: isPaid ? 0 : total,
    attempt_count: 0,
    attempted: isPaid,
    automatic_tax: { enabled: false, status: null },
    collection_method: 'charge_automatically',
    created: at,
    currency: 'usd',
    customer: owner.id,
    customer_address: owner.seed.address ?? null,
    customer_email: owner.seed.email ?? null,
    customer_name: owner.seed.name ?? null,
    customer_phone: owner.seed.phone ?? null,
    customer_shipping: owner.seed.shipping ?? null,
    customer_tax_ids: (owner.seed.tax_ids ?? []).map(({ type, value }) => ({ type, value })),
    default_tax_rates: [],
    description: null,
    lines: emptyList(`/v1/invoices/${id}/lines`),
    livemode: false,
    metadata: {},
    paid: isPaid,
    paid_out_of_band: false,
    payment_settings: { payment_method_options: null, payment_method_types: null },
    period_end: at,
    period_start: at,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    starting_balance: 0,
    status: each.status,
    status_transitions: { finalized_at: at, marked_uncollectible_at: null, paid_at: isPaid ? at : null, voided_at: null },
    subtotal: total,
    total,
    total_tax_amounts: [],
  };
}

function intentOf(owner: Owner, id: string, each: NonNullable<CustomerSeed['payment_intents']>[number]): StripeObject {
  return {
    id,
    object: 'payment_intent',
    amount: 2000,
    capture_method: 'automatic',
    client_secret: `${id}_secret_sandbox`,
    confirmation_method: 'automatic',
    created: each.created ?? owner.created,
    currency: 'usd',
    customer: owner.id,
    description: null,
    livemode: false,
    metadata: {},
    payment_method_types: ['card'],
    receipt_email: owner.seed.email ?? null,
    shipping: owner.seed.shipping ?? null,
    status: each.status,
  };
}

function subscriptionOf(owner: Owner, id: string, status: string): StripeObject {
  const at = owner.created;
  return {
    id,
    object: 'subscription',
    automatic_tax: { enabled: false },
    billing_cycle_anchor: at,
    cancel_at_period_end: false,
    canceled_at: status === 'canceled' ? at : null,
    collection_method: 'charge_automatically',
    created: at,
    current_period_end: at + 2_592_000,
    current_period_start: at,
    customer: owner.id,
    items: emptyList(`/v1/subscription_items?subscription=${id}`),
    livemode: false,
    metadata: {},
    start_date: at,
    status,
  };
}

/** Stripe shows the first ten of a list that is inside an object. */
const EMBEDDED_MAX = 10;

function embed(state: StripeState, of: StripeObject, list: { prefix: string; count: number; item: (id: string) => StripeObject; url: string }): object {
  const all = Array.from({ length: list.count }, () => list.item(nextId(state, list.prefix)));
  state.embedded.set(of.id, all);
  return { object: 'list', data: all.toReversed().slice(0, EMBEDDED_MAX), has_more: all.length > EMBEDDED_MAX, url: list.url };
}

/** What only a copy of the data asks for. */
function plantMore(state: StripeState, { id: customer, seed, created: at }: Owner, keep: (collection: Collection, item: StripeObject) => StripeObject): object {
  const base = { created: at, customer, livemode: false, metadata: {} };
  return {
    setup_intents: (seed.setup_intents ?? []).map(({ status }) => {
      const id = nextId(state, 'seti');
      return keep('setup_intents', { id, object: 'setup_intent', ...base, client_secret: `${id}_secret_sandbox`, payment_method: null, status, usage: 'off_session' });
    }),
    checkout_sessions: (seed.checkout_sessions ?? []).map(({ status }) =>
      keep('checkout_sessions', { id: nextId(state, 'cs_test'), object: 'checkout.session', ...base, client_secret: null, customer_details: billing(seed), mode: 'payment', status, url: null }),
    ),
    balance_transactions: (seed.balance_transactions ?? []).map(({ amount, description }) =>
      keep('balance_transactions', { id: nextId(state, 'cbtxn'), object: 'customer_balance_transaction', ...base, amount, currency: 'usd', description: description ?? null, ending_balance: amount, type: 'adjustment' }),
    ),
  };
}

function plantCustomer(state: StripeState, seed: CustomerSeed, nowMs: number): object {
  const createdSeconds = seed.created ?? Math.floor(nowMs / 1000) - DEFAULT_AGE_SECONDS;
  const owner: Owner = { id: seed.id ?? nextId(state, 'cus'), seed, created: createdSeconds };
  const { email, name, phone, description, address: home, shipping: parcel, metadata } = seed;
  const known = { email, name, phone, description, address: home, shipping: parcel, metadata };
  const customer = blankCustomer(owner.id, createdSeconds);
  for (const [field, value] of Object.entries(known)) if (value !== undefined) customer[field] = value;
  state.objects.customers.set(owner.id, customer);
  state.changedAtMs.set(owner.id, createdSeconds * 1000);
  if (typeof email === 'string') state.owners.set(owner.id, email);

  const keep = (collection: Collection, item: StripeObject): StripeObject => {
    state.objects[collection].set(item.id, item);
    return item;
  };
  const base = { created: createdSeconds, customer: owner.id, livemode: false };
  return {
    customer,
    tax_ids: (seed.tax_ids ?? []).map((each) =>
      keep('tax_ids', { id: nextId(state, 'txi'), object: 'tax_id', ...base, country: null, ...each, verification: null }),
    ),
    payment_methods: (seed.payment_methods ?? []).map(({ last4 }) =>
      keep('payment_methods', {
        id: nextId(state, 'pm'),
        object: 'payment_method',
        ...base,
        billing_details: billing(seed),
        card: { brand: 'visa', country: 'US', exp_month: 12, exp_year: 2034, funding: 'credit', last4 },
        metadata: {},
        type: 'card',
      }),
    ),
    subscriptions: (seed.subscriptions ?? []).map((each) => {
      const subscription = keep('subscriptions', subscriptionOf(owner, nextId(state, 'sub'), each.status));
      const item = (id: string): StripeObject => ({ id, object: 'subscription_item', created: owner.created, metadata: {}, quantity: 1, subscription: subscription.id });
      subscription['items'] = embed(state, subscription, { prefix: 'si', count: each.items ?? 0, item, url: `/v1/subscription_items?subscription=${subscription.id}` });
      return subscription;
    }),
    payment_intents: (seed.payment_intents ?? []).map((each) => keep('payment_intents', intentOf(owner, nextId(state, 'pi'), each))),
    charges: (seed.charges ?? []).map((each) => {
      const charge = keep('charges', chargeOf(owner, nextId(state, 'ch'), each));
      if (each.dispute !== undefined) keep('disputes', disputeOf(owner, nextId(state, 'dp'), charge, each.dispute));
      if (each.refunded !== undefined) {
        const refund = keep('refunds', { id: nextId(state, 're'), object: 'refund', amount: each.refunded, charge: charge.id, created: charge.created, currency: 'usd', metadata: {}, reason: null, status: 'succeeded' });
        charge['refunds'] = { ...(charge['refunds'] as object), data: [refund] };
      }
      return charge;
    }),
    invoices: (seed.invoices ?? []).map((each) => {
      const invoice = keep('invoices', invoiceOf(owner, nextId(state, 'in'), each));
      const item = (id: string): StripeObject => ({ id, object: 'line_item', amount: 100, created: owner.created, currency: 'usd', description: `Line ${id}`, metadata: {} });
      invoice['lines'] = embed(state, invoice, { prefix: 'il', count: each.lines ?? 0, item, url: `/v1/invoices/${invoice.id}/lines` });
      return invoice;
    }),
    ...plantMore(state, owner, keep),
  };
}

/** Plants customers with all that hangs on them, and sets the account's limits; answers the planted objects in Stripe's shapes. */
export function plantStripe(state: StripeState, data: unknown, nowMs: number): unknown {
  const seed = stripeSeedSchema.parse(data);
  const set = Object.entries(seed.account ?? {}).filter(([, value]) => value !== undefined);
  state.account = { ...state.account, ...Object.fromEntries(set) };
  return { customers: (seed.customers ?? []).map((each) => plantCustomer(state, each, nowMs)) };
}
