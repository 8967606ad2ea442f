import { customerSchema, readCustomer, type Customer } from './customers.ts';
import { refusalOf } from './gateway.ts';
import { goTo, lookAgain, vanished, type Move, type StageContext } from './move.ts';
import { literalMark } from './personal-fields.ts';
import { runOf, type Progress } from './progress.ts';

const hasLiteralMark = (customer: Customer): boolean =>
  customer.metadata?.[literalMark.key] === literalMark.value && customer.description === literalMark.description;

/** Writes the two fields of the literal mark, unless they are there. It erases nothing. */
export async function writeLiteral(at: StageContext, progress: Progress): Promise<Move> {
  const read = await readCustomer(at.stripe, progress.id, at.livemode, at.task.now());
  if (read.state === 'missing') return vanished(progress);
  if (read.state === 'deleted') return goTo(progress, 'absent');
  if (hasLiteralMark(read.customer)) return goTo(progress, 'read_literal');
  const params = { metadata: { [literalMark.key]: literalMark.value }, description: literalMark.description };
  const answer = await at.stripe.keyed(
    customerSchema,
    (generation) => at.task.idempotencyKey(`literal:${progress.id}:${runOf(progress)}`, generation),
    async (client, idempotencyKey) => client.customers.update(progress.id, params, { idempotencyKey }),
  );
  if (!answer.ok) throw refusalOf(answer.status, answer.code, at.task.now());
  return goTo(progress, 'read_literal');
}

/** Proves the literal mark by reading it back. */
export async function readLiteral(at: StageContext, progress: Progress): Promise<Move> {
  const read = await readCustomer(at.stripe, progress.id, at.livemode, at.task.now());
  if (read.state === 'missing') return vanished(progress);
  if (read.state === 'deleted') return goTo(progress, 'absent');
  if (!hasLiteralMark(read.customer)) return lookAgain(progress, 'Stripe says that the customer was marked and shows no mark', 'literal');
  return goTo(progress, 'marked');
}
