import type { SimulatorContext } from '../simulator.ts';
import { liveCustomer } from './customers.ts';
import { textOf } from './form.ts';
import type { AddRoute, StripeInput } from './gate.ts';
import { listPage } from './paging.ts';
import { invalid, missing } from './problem.ts';
import { ownedBy, ownerEmail, type Collection, type StripeObject, type StripeState } from './state.ts';

const NOUNS: Readonly<Record<Collection, string>> = {
  balance_transactions: 'customer balance transaction',
  charges: 'charge',
  checkout_sessions: 'checkout.session',
  customers: 'customer',
  disputes: 'dispute',
  invoices: 'invoice',
  payment_intents: 'payment_intent',
  payment_methods: 'PaymentMethod',
  refunds: 'refund',
  setup_intents: 'setupintent',
  subscriptions: 'subscription',
  tax_ids: 'tax id',
};

/** Which object fields a list can be filtered by, and what else its query may carry. */
const LISTS: Readonly<Partial<Record<Collection, { by: readonly string[]; accepts: readonly string[] }>>> = {
  charges: { by: ['customer', 'payment_intent'], accepts: ['created', 'transfer_group'] },
  disputes: { by: ['charge', 'payment_intent'], accepts: ['created'] },
  invoices: { by: ['customer', 'status', 'subscription'], accepts: ['created', 'collection_method', 'due_date'] },
  payment_intents: { by: ['customer'], accepts: ['created'] },
  refunds: { by: ['charge', 'payment_intent'], accepts: ['created'] },
  setup_intents: { by: ['customer', 'payment_method'], accepts: ['created'] },
  subscriptions: { by: ['customer'], accepts: ['status', 'created', 'price', 'collection_method'] },
};

/** The customer that an object hangs on; a dispute and a refund hang on their charge's. */
function customerOf(state: StripeState, item: StripeObject): unknown {
  if (item.object !== 'dispute' && item.object !== 'refund') return item['customer'];
  return state.objects.charges.get(String(item['charge']))?.['customer'];
}

function list(state: StripeState, input: StripeInput, collection: Collection): object {
  const { by, accepts } = LISTS[collection] ?? { by: [], accepts: [] };
  const { query } = input;
  input.visit(ownerEmail(state, textOf(query['customer'])));
  const status = textOf(query['status']);
  const found = [...state.objects[collection].values()].filter((item) => {
    // Cancelled subscriptions are listed only when they are asked for.
    if (collection === 'subscriptions' && status !== 'all' && (status === undefined ? item['status'] === 'canceled' : item['status'] !== status)) {
      return false;
    }
    return by.every((field) => textOf(query[field]) === undefined || item[field] === textOf(query[field]));
  });
  return listPage(input, NOUNS[collection], found, [...by, ...accepts]);
}

function find(state: StripeState, input: StripeInput, collection: Collection): StripeObject {
  const id = input.params['id'] ?? '';
  const item = state.objects[collection].get(id);
  if (item === undefined) throw missing(NOUNS[collection], id, collection === 'payment_methods' ? 'payment_method' : 'id');
  input.visit(ownerEmail(state, customerOf(state, item)));
  return item;
}

function transitions(add: AddRoute, state: () => StripeState, context: SimulatorContext): void {
  add('POST', '/v1/payment_methods/:id/detach', (input) => {
    const method = find(state(), input, 'payment_methods');
    if (method['customer'] === null) {
      throw invalid('The payment method you provided is not attached to a customer so detachment is impossible.', 'payment_method');
    }
    if (input.lies()) return { ...method, customer: null };
    method['customer'] = null;
    context.effect('payment_method.detached', method.id);
    return method;
  });
  add('POST', '/v1/payment_intents/:id/cancel', (input) => {
    const intent = find(state(), input, 'payment_intents');
    if (intent['status'] === 'succeeded' || intent['status'] === 'canceled') {
      throw invalid(
        `You cannot cancel this PaymentIntent because it has a status of ${intent['status']}.`,
        undefined,
        'payment_intent_unexpected_state',
      );
    }
    intent['status'] = 'canceled';
    context.effect('payment_intent.canceled', intent.id);
    return intent;
  });
  add('POST', '/v1/invoices/:id/void', (input) => {
    const invoice = find(state(), input, 'invoices');
    if (invoice['status'] !== 'open') throw invalid('You can only void invoices with a status of open.', undefined, 'invoice_not_editable');
    invoice['status'] = 'void';
    context.effect('invoice.voided', invoice.id);
    return invoice;
  });
  add('DELETE', '/v1/subscriptions/:id', (input) => {
    const subscription = find(state(), input, 'subscriptions');
    if (subscription['status'] === 'canceled') throw missing('subscription', subscription.id);
    subscription['status'] = 'canceled';
    subscription['canceled_at'] = Math.floor(input.nowMs / 1000);
    context.effect('subscription.canceled', subscription.id);
    return subscription;
  });
}

/** What hangs on a customer: lists, reads, and the transitions that redaction asks for. */
export function recordRoutes(add: AddRoute, state: () => StripeState, context: SimulatorContext): void {
  for (const collection of Object.keys(LISTS) as Collection[]) {
    add('GET', `/v1/${collection}`, (input) => list(state(), input, collection));
    add('GET', `/v1/${collection}/:id`, (input) => find(state(), input, collection));
  }
  add('GET', '/v1/payment_methods/:id', (input) => find(state(), input, 'payment_methods'));
  add('GET', '/v1/checkout/sessions', (input) => {
    const customer = textOf(input.query['customer']);
    input.visit(ownerEmail(state(), customer));
    const found = [...state().objects.checkout_sessions.values()].filter((each) => customer === undefined || each['customer'] === customer);
    return listPage(input, NOUNS.checkout_sessions, found, ['customer', 'payment_intent', 'subscription', 'status', 'created']);
  });
  for (const [parent, child, noun] of [['invoices', 'lines', 'line item'], ['subscriptions', 'items', 'subscription item']] as const) {
    const whole = (id: string, param: string): readonly StripeObject[] => {
      const item = state().objects[parent].get(id);
      if (item === undefined) throw missing(NOUNS[parent], id, param);
      return state().embedded.get(item.id) ?? [];
    };
    if (child === 'lines') add('GET', '/v1/invoices/:id/lines', (input) => listPage(input, noun, whole(input.params['id'] ?? '', 'invoice')));
    else add('GET', '/v1/subscription_items', (input) => listPage(input, noun, whole(textOf(input.query['subscription']) ?? '', 'subscription'), ['subscription']));
  }
  for (const collection of ['tax_ids', 'payment_methods', 'balance_transactions'] as const) {
    add('GET', `/v1/customers/:customer/${collection}`, (input) =>
      listPage(input, NOUNS[collection], ownedBy(state(), collection, liveCustomer(state(), input).id), ['type']),
    );
  }
  add('DELETE', '/v1/customers/:customer/tax_ids/:id', (input) => {
    const customer = liveCustomer(state(), input);
    const id = input.params['id'] ?? '';
    if (state().objects.tax_ids.get(id)?.['customer'] !== customer.id) throw missing('tax id', id);
    if (!input.lies()) {
      state().objects.tax_ids.delete(id);
      context.effect('tax_id.deleted', id);
    }
    return { id, object: 'tax_id', deleted: true };
  });
  transitions(add, state, context);
}
