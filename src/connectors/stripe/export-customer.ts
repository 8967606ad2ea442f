import type { Stripe } from 'stripe';
import { z } from 'zod';
import { Failure, type ExportContext, type ExportedRecord, type ExportPage } from '../../connector-kit/index.ts';
import { expectedLivemode, type StripeConfig } from './config.ts';
import { pageOf, readCustomer } from './customers.ts';
import { createStripeGateway, type StripeGateway } from './gateway.ts';

type Paging = { readonly limit: number; readonly starting_after?: string };
interface Kind {
  readonly type: string;
  /** False for what Stripe takes away with the customer, and does not list any more. */
  readonly isKeptWhenDeleted: boolean;
  readonly list: (stripe: Stripe, customer: string, paging: Paging) => Promise<unknown>;
}

/** Everything that Stripe lists by the customer, in the order in which it is given. */
const kinds: readonly Kind[] = [
  { type: 'tax_id', isKeptWhenDeleted: false, list: async (stripe, customer, paging) => stripe.customers.listTaxIds(customer, paging) },
  { type: 'payment_method', isKeptWhenDeleted: false, list: async (stripe, customer, paging) => stripe.customers.listPaymentMethods(customer, paging) },
  { type: 'balance_transaction', isKeptWhenDeleted: false, list: async (stripe, customer, paging) => stripe.customers.listBalanceTransactions(customer, paging) },
  // Cancelled ones are listed only when they are asked for.
  { type: 'subscription', isKeptWhenDeleted: true, list: async (stripe, customer, paging) => stripe.subscriptions.list({ customer, status: 'all', ...paging }) },
  { type: 'invoice', isKeptWhenDeleted: true, list: async (stripe, customer, paging) => stripe.invoices.list({ customer, ...paging }) },
  { type: 'charge', isKeptWhenDeleted: true, list: async (stripe, customer, paging) => stripe.charges.list({ customer, ...paging }) },
  { type: 'payment_intent', isKeptWhenDeleted: true, list: async (stripe, customer, paging) => stripe.paymentIntents.list({ customer, ...paging }) },
  { type: 'setup_intent', isKeptWhenDeleted: true, list: async (stripe, customer, paging) => stripe.setupIntents.list({ customer, ...paging }) },
  { type: 'checkout_session', isKeptWhenDeleted: true, list: async (stripe, customer, paging) => stripe.checkout.sessions.list({ customer, ...paging }) },
];

const embeddedSchema = z.looseObject({ data: z.array(z.looseObject({ id: z.string().min(1) })), has_more: z.boolean() }).nullish();
const objectSchema = z.looseObject({
  id: z.string().min(1),
  customer: z.union([z.string(), z.looseObject({ id: z.string() })]).nullish(),
  disputed: z.boolean().nullish(),
  amount_refunded: z.number().nullish(),
  lines: embeddedSchema,
  items: embeddedSchema,
});
type Listed = z.output<typeof objectSchema>;
const pageSchema = pageOf(objectSchema);

const cursorSchema = z.strictObject({
  type: z.string(),
  /** The last object of that kind that was given. */
  after: z.string().optional(),
});

/** Stripe's own most for a page. */
const pageSize = 100;

/**
 * Gives what Stripe holds of a customer: the customer, and what hangs on it, page by page, with a place to go on from after each. Of one who was deleted,
 * what stayed: subscriptions, invoices, payments. Nothing for a customer that there is not. Secrets with which a payment could be completed are left out, and
 * so would be a card's number, which Stripe shows to nobody.
 */
export async function* exportCustomer(config: StripeConfig, context: ExportContext): AsyncGenerator<ExportPage> {
  const { identifier } = context;
  if (identifier.kind !== 'stripe_customer') throw new Failure('UNSUPPORTED', 'Stripe gives what it holds by customer id only');
  const kept = context.cursor === null ? undefined : cursorSchema.safeParse(context.cursor);
  const start = kept === undefined ? 0 : kinds.findIndex(({ type }) => type === kept.data?.type);
  if (start < 0) throw new Failure('INTERNAL', 'The kept place of an export is not one of an export of a Stripe customer');
  const stripe = createStripeGateway(config, context);
  const read = await readCustomer(stripe, identifier.value, expectedLivemode(config), context.now());
  if (read.state === 'missing') {
    if (kept === undefined) return;
    throw new Failure('VENDOR_MALFORMED', 'Stripe does not know the customer any more of whom it gave a part before');
  }
  if (kept === undefined) yield { records: read.state === 'live' ? [{ type: 'customer', data: withoutSecrets(read.customer) }] : [], resume: { type: kinds[0]?.type ?? '' } };
  for (const [at, kind] of kinds.entries()) {
    if (at < start || (read.state === 'deleted' && !kind.isKeptWhenDeleted)) continue;
    let after = at === start ? kept?.data?.after : undefined;
    for (;;) {
      const paging = { limit: pageSize, ...(after === undefined ? {} : { starting_after: after }) };
      const page = await stripe.must(pageSchema, async (client) => kind.list(client, identifier.value, paging));
      for (const each of page.data) requireOwn(each, identifier.value);
      yield { records: page.data.map((data) => ({ type: kind.type, data: withoutSecrets(data) })) };
      for (const each of page.data) yield* partsOf(stripe, each);
      const last = page.data.at(-1)?.id;
      if (page.has_more && (last === undefined || last === after)) throw new Failure('VENDOR_MALFORMED', 'Stripe promised more of a list and named no further object');
      after = page.has_more ? last : undefined;
      const next = after === undefined ? kinds[at + 1]?.type : kind.type;
      if (next !== undefined) yield { records: [], resume: { type: next, ...(after === undefined ? {} : { after }) } };
      if (after === undefined) break;
    }
  }
}

/** A list that answers with another customer's object would hand it to a stranger. */
function requireOwn({ customer }: Listed, id: string): void {
  const holder = typeof customer === 'object' ? customer?.id : customer;
  if (holder !== undefined && holder !== id) throw new Failure('SUBJECT_AMBIGUOUS', 'Stripe listed an object of another customer than the one asked for');
}

/** What an object names and does not hold itself: disputes and refunds of a charge, and the rest of the lines of an invoice and the items of a subscription. */
async function* partsOf(stripe: StripeGateway, { id, disputed, amount_refunded: refunded, lines, items }: Listed): AsyncGenerator<ExportPage> {
  if (disputed === true) yield* restOf(stripe, 'dispute', undefined, async (client, paging) => client.disputes.list({ charge: id, ...paging }));
  if ((refunded ?? 0) > 0) yield* restOf(stripe, 'refund', undefined, async (client, paging) => client.refunds.list({ charge: id, ...paging }));
  if (lines?.has_more === true) yield* restOf(stripe, 'invoice_line', lines.data.at(-1)?.id, async (client, paging) => client.invoices.listLineItems(id, paging));
  if (items?.has_more === true) yield* restOf(stripe, 'subscription_item', items.data.at(-1)?.id, async (client, paging) => client.subscriptionItems.list({ subscription: id, ...paging }));
}

async function* restOf(stripe: StripeGateway, type: string, from: string | undefined, list: (stripe: Stripe, paging: Paging) => Promise<unknown>): AsyncGenerator<ExportPage> {
  let after = from;
  for (;;) {
    const page = await stripe.must(pageSchema, async (client) => list(client, { limit: pageSize, ...(after === undefined ? {} : { starting_after: after }) }));
    yield { records: page.data.map((data): ExportedRecord => ({ type, data: withoutSecrets(data) })) };
    const last = page.data.at(-1)?.id;
    if (!page.has_more) return;
    if (last === undefined || last === after) throw new Failure('VENDOR_MALFORMED', 'Stripe promised more of a list and named no further object');
    after = last;
  }
}

/** With a client secret, whoever holds the package could complete or read the payment. */
const secret = ['client_secret'];
const ofCard = [...secret, 'number', 'cvc'];

function withoutSecrets(value: unknown, at = ''): unknown {
  if (Array.isArray(value)) return value.map((each) => withoutSecrets(each, at));
  if (typeof value !== 'object' || value === null) return value;
  const dropped = at.includes('card') ? ofCard : secret;
  return Object.fromEntries(Object.entries(value).flatMap(([key, each]) => (dropped.includes(key) ? [] : [[key, withoutSecrets(each, key)]])));
}
