import { createHash } from 'node:crypto';
import { z } from 'zod';
import { customerSchema, deletedSchema, readCustomer } from './customers.ts';
import { refusalOf } from './gateway.ts';
import { allKinds, countOnePage, firstPage, isCounted } from './held.ts';
import { goTo, lookAgain, vanished, type Move, type StageContext } from './move.ts';
import { hasPersonalFields, isMarked, scrubParams } from './personal-fields.ts';
import { runOf, type Progress } from './progress.ts';

const removedSchema = z.looseObject({ id: z.string() });

/** The mark's time, the same over all attempts of a round. */
const timeOf = (progress: Progress): string => new Date(progress.startedAt).toISOString();

/** Counts a page of what hangs on the customer, before anything is changed; goes on to `next` when all is counted. */
export async function count(at: StageContext, progress: Progress, kinds: typeof allKinds, next: Progress['stage']): Promise<Move> {
  const counted = await countOnePage(at.stripe, progress, kinds);
  if (counted === undefined || isCounted(counted, kinds)) return goTo(counted ?? progress, next);
  return { kind: 'next', progress: counted };
}

/**
 * Removes one page of tax ids and payment methods; what a repeated pass finds is what is left. Goes on to `next` when nothing is.
 * `kinds` are the kinds to clear.
 */
export async function clear(at: StageContext, progress: Progress, kinds: readonly ('tax_ids' | 'payment_methods')[], next: Progress['stage']): Promise<Move> {
  for (const kind of kinds) {
    const items = await firstPage(at.stripe, kind, progress.id);
    const first = items[0];
    if (first === undefined) continue;
    if (first.id === progress.cleared && progress.looks > 0) return lookAgain(progress, 'Stripe says that an object of the customer was removed and still lists it', 'clear');
    for (const item of items) {
      if (at.task.shouldYield() && item !== first) break;
      await remove(at, progress, kind, item.id);
    }
    // A first object that is seen again was not removed, whatever was answered: looked at again a little later.
    if (first.id === progress.cleared) return lookAgain(progress, 'Stripe says that an object of the customer was removed and still lists it', 'clear');
    return { kind: 'next', progress: { ...progress, cleared: first.id, looks: 0 } };
  }
  return goTo(progress, next);
}

async function remove(at: StageContext, progress: Progress, kind: 'tax_ids' | 'payment_methods', id: string): Promise<void> {
  const answer =
    kind === 'tax_ids'
      ? await at.stripe.ask(removedSchema, async (client) => client.customers.deleteTaxId(progress.id, id))
      : await at.stripe.keyed(
          removedSchema,
          (generation) => at.task.idempotencyKey(`detach:${id}:${runOf(progress)}`, generation),
          async (client, idempotencyKey) => client.paymentMethods.detach(id, {}, { idempotencyKey }),
        );
  // Gone already, or detached by somebody else in between: the next pass over the list is what counts.
  const isGone = !answer.ok && (answer.code === 'resource_missing' || answer.says(/not attached to a customer/iu));
  if (!answer.ok && !isGone) throw refusalOf(answer.status, answer.code, at.task.now());
}

/** Empties and marks, unless a read shows that this was done. */
export async function scrub(at: StageContext, progress: Progress): Promise<Move> {
  const read = await readCustomer(at.stripe, progress.id, at.livemode, at.task.now());
  if (read.state === 'missing') return vanished(progress);
  // Deleted by somebody else in the meantime: seen gone, and not by us.
  if (read.state === 'deleted') return goTo(progress, 'absent');
  if (isMarked(read.customer, timeOf(progress)) && !hasPersonalFields(read.customer)) return goTo(progress, 'read_mark');
  const params = scrubParams(read.customer, timeOf(progress));
  // Other parameters under the same key would be refused, and the customer may have changed since.
  const digest = createHash('sha256').update(JSON.stringify(params)).digest('hex');
  const answer = await at.stripe.keyed(
    customerSchema,
    (generation) => at.task.idempotencyKey(`scrub:${progress.id}:${digest}:${runOf(progress)}`, generation),
    async (client, idempotencyKey) => client.customers.update(progress.id, params, { idempotencyKey }),
  );
  if (!answer.ok && answer.code !== 'resource_missing') throw refusalOf(answer.status, answer.code, at.task.now());
  return goTo(progress, 'read_mark');
}

/** Proves the mark and the emptiness by reading them back, while there is a customer to read. */
export async function readMark(at: StageContext, progress: Progress): Promise<Move> {
  const read = await readCustomer(at.stripe, progress.id, at.livemode, at.task.now());
  if (read.state === 'missing') return vanished(progress);
  if (read.state === 'deleted') return goTo(progress, 'absent');
  if (!isMarked(read.customer, timeOf(progress)) || hasPersonalFields(read.customer)) {
    return lookAgain(progress, 'Stripe says that the customer was emptied and marked and shows it unchanged', 'scrub');
  }
  return goTo(progress, at.task.action === 'anonymise' ? 'anonymised' : 'delete');
}

/** Deletes a customer that a read shows to be there still: a second DELETE answers 404, which proves nothing. */
export async function deleteOnce(at: StageContext, progress: Progress): Promise<Move> {
  const read = await readCustomer(at.stripe, progress.id, at.livemode, at.task.now());
  if (read.state === 'missing') return vanished(progress);
  if (read.state === 'deleted') return goTo(progress, 'erased');
  const answer = await at.stripe.ask(deletedSchema, async (client) => client.customers.del(progress.id));
  if (!answer.ok && answer.code !== 'resource_missing') throw refusalOf(answer.status, answer.code, at.task.now());
  return goTo(progress, 'poll');
}

/** Reads until Stripe itself shows the customer as deleted. */
export async function pollDeleted(at: StageContext, progress: Progress): Promise<Move> {
  const read = await readCustomer(at.stripe, progress.id, at.livemode, at.task.now());
  if (read.state === 'deleted') return goTo(progress, 'erased');
  if (read.state === 'missing') return vanished(progress);
  return lookAgain(progress, 'Stripe says that the customer was deleted and still shows it', 'delete');
}
