import type { Identifier } from '../../contract/identifiers.ts';
import type { ConfirmResult, ConnectorContext, EraseContext, Located, LocateResult } from '../../connector-kit/index.ts';
import { expectedLivemode, type StripeConfig } from './config.ts';
import { findByEmail, identifiersOf, readCustomer } from './customers.ts';
import { createStripeGateway } from './gateway.ts';
import { hasPersonalFields } from './personal-fields.ts';
import { readCursor } from './progress.ts';

/** Looks up ids and addresses; a deleted customer is nobody that Stripe knows any more. Reads only. */
export async function locate(config: StripeConfig, context: ConnectorContext, known: readonly Identifier[]): Promise<LocateResult> {
  const stripe = createStripeGateway(config, context);
  const livemode = expectedLivemode(config);
  const found: Located[] = [];
  const knows: Identifier[] = [];
  const isNew = ({ kind, value }: Identifier): boolean =>
    ![...known, ...found.map((each) => each.identifier)].some((each) => each.kind === kind && each.value === value);
  const add = (identifier: Identifier, via: Identifier): void => {
    if (isNew(identifier)) found.push({ identifier, via, confidence: 1 });
  };
  for (const via of known) {
    if (via.kind === 'stripe_customer') {
      const read = await readCustomer(stripe, via.value, livemode, context.now());
      if (read.state !== 'live') continue;
      knows.push(via);
      for (const identifier of identifiersOf(read.customer)) add(identifier, via);
    } else if (via.kind === 'email') {
      const { customers } = await findByEmail(stripe, via.value, livemode, context.now());
      if (customers.length > 0) knows.push(via);
      for (const customer of customers) add({ kind: 'stripe_customer', value: customer.id }, via);
    }
  }
  return { found, knows };
}

/**
 * Reads back: the task's customers, and everybody under the person's addresses. Customers that have a task of their own are left to its
 * read-back. After a deletion any living customer is present; otherwise one that still shows personal fields.
 */
export async function confirm(config: StripeConfig, context: EraseContext): Promise<ConfirmResult> {
  const stripe = createStripeGateway(config, context);
  const livemode = expectedLivemode(config);
  const { identifier, identifiers } = context;
  const found = new Map<string, Identifier>();
  const add = (each: Identifier): void => void found.set(`${each.kind} ${each.value}`, each);
  const isDeletion = config.mode === 'scrub_and_delete' && context.action === 'erase';
  const own = new Set(readCursor(context.cursor)?.customers.map((each) => each.id));
  if (identifier.kind === 'stripe_customer') own.add(identifier.value);
  for (const id of own) {
    const read = await readCustomer(stripe, id, livemode, context.now());
    if (read.state !== 'live' || !(isDeletion || hasPersonalFields(read.customer))) continue;
    add({ kind: 'stripe_customer', value: id });
    // The task's own, even when its address was emptied and no longer finds it.
    add(identifier);
  }
  const others = new Set(identifiers.filter((each) => each.kind === 'stripe_customer' && !own.has(each.value)).map((each) => each.value));
  for (const email of [...identifiers, identifier].filter((each) => each.kind === 'email')) {
    const { customers } = await findByEmail(stripe, email.value, livemode, context.now());
    for (const customer of customers.filter((each) => !others.has(each.id))) {
      add({ kind: 'stripe_customer', value: customer.id });
      add(email);
    }
  }
  return found.size === 0 ? { state: 'absent' } : { state: 'present', found: [...found.values()] };
}
