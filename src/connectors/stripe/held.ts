import type { Stripe } from 'stripe';
import { z } from 'zod';
import type { Counts, Residue } from '../../contract/outcomes.ts';
import type { StripeConfig } from './config.ts';
import { pageOf } from './customers.ts';
import type { StripeGateway } from './gateway.ts';
import { heldKinds, type Held, type HeldKind, type Progress } from './progress.ts';

const itemSchema = z.looseObject({ id: z.string().min(1), created: z.int(), disputed: z.boolean().nullish() });
const pageSchema = pageOf(itemSchema);

type Paging = { readonly limit: number; readonly starting_after?: string };

/** The calls that list what hangs on a customer, a page at a time. */
const lists: Readonly<Record<HeldKind, (stripe: Stripe, customer: string, paging: Paging) => Promise<unknown>>> = {
  charges: async (stripe, customer, paging) => stripe.charges.list({ customer, ...paging }),
  payment_intents: async (stripe, customer, paging) => stripe.paymentIntents.list({ customer, ...paging }),
  invoices: async (stripe, customer, paging) => stripe.invoices.list({ customer, ...paging }),
  // Cancelled ones are listed only when they are asked for, and they keep their metadata too.
  subscriptions: async (stripe, customer, paging) => stripe.subscriptions.list({ customer, status: 'all', ...paging }),
  tax_ids: async (stripe, customer, paging) => stripe.customers.listTaxIds(customer, paging),
  payment_methods: async (stripe, customer, paging) => stripe.customers.listPaymentMethods(customer, paging),
};

/** The first page, at most 100, of one kind of a customer's objects, newest first. */
export async function firstPage(stripe: StripeGateway, kind: HeldKind, customer: string): Promise<readonly { readonly id: string }[]> {
  const page = await stripe.must(pageSchema, async (client) => lists[kind](client, customer, { limit: 100 }));
  return page.data;
}

function added(held: Held | undefined, items: readonly { readonly created: number }[]): Held {
  return { count: (held?.count ?? 0) + items.length, newest: Math.max(held?.newest ?? 0, ...items.map((each) => each.created)) };
}

/** Counts one more page of what hangs on a customer; answers undefined when all of `kinds` are counted. */
export async function countOnePage(stripe: StripeGateway, progress: Progress, kinds: readonly HeldKind[]): Promise<Progress | undefined> {
  const { counting, held } = progress;
  const kind = counting?.kind ?? kinds[0];
  if (kind === undefined) return undefined;
  const paging = { limit: 100, ...(counting?.after === undefined ? {} : { starting_after: counting.after }) };
  const page = await stripe.must(pageSchema, async (client) => lists[kind](client, progress.id, paging));
  const next: Record<string, Held> = { ...held, [kind]: added(held[kind], page.data) };
  for (const { id: charge } of page.data.filter((each) => each.disputed === true)) {
    const disputes = await stripe.must(pageSchema, async (client) => client.disputes.list({ charge, limit: 100 }));
    next['disputes'] = added(next['disputes'], disputes.data);
  }
  const last = page.data.at(-1)?.id;
  if (page.has_more && last !== undefined) return { ...progress, held: next, counting: { kind, after: last } };
  const following = kinds[kinds.indexOf(kind) + 1];
  const { counting: _done, ...rest } = progress;
  return following === undefined ? { ...rest, held: next, stage: progress.stage } : { ...rest, held: next, counting: { kind: following } };
}

/** True once the last of `kinds` was counted to its end. */
export function isCounted(progress: Progress, kinds: readonly HeldKind[]): boolean {
  const last = kinds.at(-1);
  return progress.counting === undefined && last !== undefined && progress.held[last] !== undefined;
}

/** What a customer's erasure counted, without the kinds of which there are none. */
export function countsOf(progresses: readonly Progress[], kinds: readonly HeldKind[]): Counts {
  const counts: Record<string, number> = {};
  for (const { held } of progresses) {
    for (const kind of kinds) if ((held[kind]?.count ?? 0) > 0) counts[kind] = (counts[kind] ?? 0) + (held[kind]?.count ?? 0);
  }
  return counts;
}

/** Stripe answers events for about 30 days. */
const eventDays = 30;
const dayMs = 86_400_000;

/** The instant `years` after another, in the calendar of UTC. */
function yearsAfter(ms: number, years: number): number {
  const date = new Date(ms);
  return date.setUTCFullYear(date.getUTCFullYear() + years);
}

/**
 * What stays at Stripe when customers were deleted: the snapshots of the person on transactions, each until the retention counted from the
 * newest of them ends (past that end nothing but Stripe's own keeping is left as a reason), detached payment methods, events and logs.
 */
export function residueOf(progresses: readonly Progress[], config: StripeConfig, now: number): Residue[] {
  const residue: Residue[] = [];
  for (const what of ['charges', 'payment_intents', 'invoices', 'subscriptions', 'disputes']) {
    const held = progresses.flatMap((each) => each.held[what] ?? []);
    const count = held.reduce((sum, each) => sum + each.count, 0);
    if (count === 0) continue;
    const end = yearsAfter(Math.max(...held.map((each) => each.newest)) * 1000, config.retention.years);
    residue.push(
      end > now
        ? { what, why: 'legal_obligation', count, legal_basis: config.retention.legal_basis, until: new Date(end).toISOString() }
        : { what, why: 'not_deletable_by_api', count },
    );
  }
  const methods = progresses.reduce((sum, each) => sum + (each.held['payment_methods']?.count ?? 0), 0);
  if (methods > 0) residue.push({ what: 'detached_payment_methods', why: 'not_deletable_by_api', count: methods });
  residue.push({ what: 'events', why: 'vendor_retention', until: new Date(now + eventDays * dayMs).toISOString() });
  residue.push({ what: 'request_logs', why: 'vendor_retention' });
  return residue;
}

/** All kinds, for modes in which everything that stays must be named. */
export const allKinds: readonly HeldKind[] = heldKinds;
