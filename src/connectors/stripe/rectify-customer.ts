import { createHash } from 'node:crypto';
import type { Stripe } from 'stripe';
import { z } from 'zod';
import { Failure, type Correction, type EraseResult, type Json, type RectifyConfirmation, type RectifyContext } from '../../connector-kit/index.ts';
import { expectedLivemode, type StripeConfig } from './config.ts';
import { customerSchema, foldEmail, readCustomer, type Customer } from './customers.ts';
import { createStripeGateway, refusalOf } from './gateway.ts';

/** A text of a customer that can be corrected: where Stripe shows it, and how two spellings of it are compared. */
interface Field {
  readonly path: readonly [string, string?];
  readonly fold: (text: string) => string;
}

const asWritten = (text: string): string => text.normalize('NFC').trim();
const digitsOf = (text: string): string => text.replaceAll(/[\s().-]/gu, '');
const folded = (fold: Field['fold'], ...path: Field['path']): Field => ({ path, fold });

/** The names by which corrections reach a customer. */
const fields: Readonly<Record<string, Field>> = {
  name: folded(asWritten, 'name'),
  email: folded((text) => foldEmail(text.trim()), 'email'),
  phone: folded(digitsOf, 'phone'),
  address_line1: folded(asWritten, 'address', 'line1'),
  address_line2: folded(asWritten, 'address', 'line2'),
  address_city: folded(asWritten, 'address', 'city'),
  address_postal_code: folded(asWritten, 'address', 'postal_code'),
  address_state: folded(asWritten, 'address', 'state'),
  address_country: folded(asWritten, 'address', 'country'),
};

const keptSchema = z.strictObject({
  /** Fields that hold something else than the person said: a person's retry leaves them as they are. */
  left: z.array(z.string()),
});

/** The fields that an earlier step kept, or the one with which the task went to a person. One of another shape is a bug and throws `INTERNAL`. */
function leftOf(cursor: Json): readonly string[] {
  if (cursor === null) return [];
  const kept = keptSchema.safeParse(cursor);
  if (!kept.success) throw new Failure('INTERNAL', 'The kept cursor is not one of a correction at Stripe');
  return kept.data.left;
}

/** What a customer shows at a place; empty where it shows nothing. */
function shown(customer: Customer, [first, second]: Field['path']): string {
  const outer = (customer as Readonly<Record<string, unknown>>)[first];
  const value = second === undefined ? outer : (outer as Readonly<Record<string, unknown>> | null | undefined)?.[second];
  return typeof value === 'string' ? value : '';
}

/** How a customer stands to a correction: as asked, to be corrected, or something else than the person said. */
function standing(customer: Customer, { field, from, to }: Correction): 'as_asked' | 'to_correct' | 'other' {
  const known = fields[field];
  if (known === undefined) return 'other';
  const is = shown(customer, known.path);
  // Compared as it is written: a name may be corrected in nothing but its case.
  if (is === to || (field === 'phone' && digitsOf(is) === digitsOf(to))) return 'as_asked';
  return from === undefined || known.fold(is) === known.fold(from) ? 'to_correct' : 'other';
}

function updateOf(corrections: readonly Correction[]): Stripe.CustomerUpdateParams {
  const params: Record<string, string | Record<string, string>> = {};
  for (const { field, to } of corrections) {
    const [first, second] = fields[field]?.path ?? [field];
    if (second === undefined) params[first] = to;
    else params[first] = { ...(params[first] as Record<string, string> | undefined), [second]: to };
  }
  return params;
}

/**
 * Corrects name, e-mail address, telephone number and address of a customer. What is shown as asked already stays untouched, so that a repetition
 * changes nothing; what holds something else than the person said goes to a person, and a retry leaves it. Issued invoices and past payments keep what they
 * were made with: Stripe does not change them.
 */
export async function rectifyCustomer(config: StripeConfig, context: RectifyContext): Promise<EraseResult> {
  const { identifier, corrections } = context;
  if (identifier.kind !== 'stripe_customer') throw new Failure('UNSUPPORTED', 'Stripe corrects customers by their id only');
  const unknown = corrections.filter(({ field }) => !Object.hasOwn(fields, field));
  if (unknown.length > 0) return { state: 'operator', code: 'UNSUPPORTED', detail: `A Stripe customer has no field for ${unknown.map(({ field }) => field).join(', ')}`, counts: {}, residue: [] };
  const before = leftOf(context.cursor ?? context.previous);
  const stripe = createStripeGateway(config, context);
  const read = await readCustomer(stripe, identifier.value, expectedLivemode(config), context.now());
  if (read.state !== 'live') return { state: 'done', outcome: 'nothing_matched', counts: {}, residue: [] };
  const stands = corrections.map((correction) => ({ correction, is: standing(read.customer, correction) }));
  const left = stands.filter(({ is }) => is === 'other').map(({ correction }) => correction.field);
  const cursor = { left };
  const open = stands.filter(({ is }) => is === 'to_correct').map(({ correction }) => correction);
  if (open.length > 0) {
    const params = updateOf(open);
    // Other parameters under the same key would be refused; and after somebody changed the customer back, the same ones are new work.
    const digest = createHash('sha256').update(JSON.stringify([params, read.customer])).digest('hex');
    const answer = await stripe.keyed(
      customerSchema,
      (generation) => context.idempotencyKey(`rectify:${identifier.value}:${digest}`, generation),
      async (client, idempotencyKey) => client.customers.update(identifier.value, params, { idempotencyKey }),
    );
    if (!answer.ok) throw refusalOf(answer.status, answer.code, context.now());
  }
  const isCorrected = stands.some(({ is }) => is !== 'other');
  const counts: Record<string, number> = isCorrected ? { customers: 1 } : {};
  if (left.some((field) => !before.includes(field))) {
    return { state: 'operator', code: 'SUBJECT_AMBIGUOUS', detail: 'The customer holds something else than the person said', counts, residue: [], cursor };
  }
  return { state: 'done', outcome: isCorrected ? 'corrected' : 'nothing_matched', counts, residue: [], cursor };
}

/** Reads the customer again: each field must show what was asked for, unless a person let it be left as it is. */
export async function confirmCustomer(config: StripeConfig, context: RectifyContext): Promise<RectifyConfirmation> {
  const left = leftOf(context.cursor);
  const read = await readCustomer(createStripeGateway(config, context), context.identifier.value, expectedLivemode(config), context.now());
  const otherwise = context.corrections.filter((each) => read.state !== 'live' || (!left.includes(each.field) && standing(read.customer, each) !== 'as_asked'));
  return otherwise.length === 0 ? { state: 'as_asked' } : { state: 'otherwise', fields: [...new Set(otherwise.map(({ field }) => field))].toSorted() };
}
