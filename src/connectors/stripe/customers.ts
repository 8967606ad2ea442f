import { z } from 'zod';
import type { Identifier } from '../../contract/identifiers.ts';
import { Failure } from '../../connector-kit/index.ts';
import type { StripeGateway } from './gateway.ts';
import { refusalOf } from './gateway.ts';

const nested = z.record(z.string(), z.unknown());

/** A customer as far as this connector reads it. */
export const customerSchema = z.looseObject({
  id: z.string().min(1),
  object: z.literal('customer'),
  livemode: z.boolean(),
  email: z.string().nullish(),
  phone: z.string().nullish(),
  name: z.string().nullish(),
  description: z.string().nullish(),
  address: nested.nullish(),
  shipping: nested.nullish(),
  individual_name: z.string().nullish(),
  business_name: z.string().nullish(),
  invoice_settings: z.looseObject({ custom_fields: z.array(z.unknown()).nullish(), footer: z.string().nullish() }).nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  redaction: z.looseObject({ status: z.string() }).nullish(),
});
/** A customer as far as this connector reads it. */
export type Customer = z.output<typeof customerSchema>;

/** What Stripe answers for a customer that was deleted. */
export const deletedSchema = z.looseObject({ id: z.string(), object: z.literal('customer'), deleted: z.literal(true) });
const readSchema = z.union([deletedSchema, customerSchema]);

/** One page of a list of anything. */
export const pageOf = <Item extends z.ZodType>(item: Item) => z.looseObject({ data: z.array(item), has_more: z.boolean() });

const customerPage = pageOf(customerSchema);
const searchPage = z.looseObject({ data: z.array(customerSchema), has_more: z.boolean(), next_page: z.string().nullish() });

/** What a read of one customer showed; `missing` is somebody that this key's mode never had. */
export type CustomerRead = { readonly state: 'live'; readonly customer: Customer } | { readonly state: 'deleted' } | { readonly state: 'missing' };

/** Throws unless the object is of the mode that the key belongs to: acting on the other mode's customer would erase somebody else. */
function requireMode(customer: Customer, livemode: boolean | undefined): void {
  if (livemode !== undefined && customer.livemode !== livemode) {
    throw new Failure('CONNECTION_REFUSED', `Stripe answered with a customer of ${customer.livemode ? 'live' : 'test'} mode to a key of the other mode`);
  }
}

/** Reads one customer. An id that cannot be Stripe's is `missing` without a call. */
export async function readCustomer(stripe: StripeGateway, id: string, livemode: boolean | undefined, now: number): Promise<CustomerRead> {
  if (!/^[\w-]{1,255}$/u.test(id)) return { state: 'missing' };
  const answer = await stripe.ask(readSchema, async (client) => client.customers.retrieve(id));
  if (!answer.ok) {
    if (answer.status === 404 && answer.code === 'resource_missing') return { state: 'missing' };
    throw refusalOf(answer.status, answer.code, now);
  }
  const { body } = answer;
  if (body.id !== id) throw new Failure('SUBJECT_AMBIGUOUS', 'Stripe answered with another customer than the one asked for');
  if ('deleted' in body && body.deleted === true) return { state: 'deleted' };
  const customer = customerSchema.parse(body);
  requireMode(customer, livemode);
  return { state: 'live', customer };
}

/** An e-mail address as it is compared: Stripe's list compares by case, people do not. */
export const foldEmail = (email: string): string => email.normalize('NFC').toLowerCase();

/** The spellings that are asked for one by one: as given, lower, Like.This, Like.this and UPPER, since the list's filter minds the case. */
export function spellingsOf(email: string): string[] {
  const lower = foldEmail(email);
  const at = lower.lastIndexOf('@');
  const [local, domain] = [lower.slice(0, at), lower.slice(at)];
  const capital = local.charAt(0).toUpperCase() + local.slice(1);
  const words = local.replaceAll(/(?:^|[._-])\p{Ll}/gu, (match) => match.toUpperCase());
  return [...new Set([email, lower, capital + domain, words + domain, lower.toUpperCase()])];
}

/** Customers found under an address, and whether the search API could be asked besides the list. */
export interface Found {
  readonly customers: readonly Customer[];
  readonly searched: boolean;
}

/**
 * Finds every live customer under an address, in whatever case it was stored: the list is asked for common spellings, and the search API,
 * which does not mind the case but lags up to an hour and is not offered everywhere, for the rest. Whatever comes back is compared again,
 * and what only the search knows is read again, since its index may still hold the dead.
 */
export async function findByEmail(stripe: StripeGateway, email: string, livemode: boolean | undefined, now: number): Promise<Found> {
  const wanted = foldEmail(email);
  const found = new Map<string, Customer>();
  const isWanted = (customer: Customer): boolean => typeof customer.email === 'string' && foldEmail(customer.email) === wanted;
  for (const spelling of spellingsOf(email)) {
    let after: string | undefined;
    for (;;) {
      const params = { email: spelling, limit: 100, ...(after === undefined ? {} : { starting_after: after }) };
      const page = await stripe.must(customerPage, async (client) => client.customers.list(params));
      for (const customer of page.data.filter(isWanted)) {
        requireMode(customer, livemode);
        found.set(customer.id, customer);
      }
      after = page.data.at(-1)?.id;
      if (!page.has_more || after === undefined) break;
    }
  }
  const hits = await searchByEmail(stripe, wanted, now);
  for (const id of hits?.filter((each) => !found.has(each)) ?? []) {
    const read = await readCustomer(stripe, id, livemode, now);
    if (read.state === 'live' && isWanted(read.customer)) found.set(id, read.customer);
  }
  return { customers: [...found.values()], searched: hits !== undefined };
}

/** The ids that the search API gives; undefined when Stripe says that the account has no search. */
async function searchByEmail(stripe: StripeGateway, email: string, now: number): Promise<string[] | undefined> {
  const query = `email:"${email.replaceAll(/["\\]/gu, (match) => `\\${match}`)}"`;
  const ids: string[] = [];
  let page: string | undefined;
  do {
    const params = { query, limit: 100, ...(page === undefined ? {} : { page }) };
    const answer = await stripe.ask(searchPage, async (client) => client.customers.search(params));
    if (!answer.ok) {
      const isAbsent = [400, 404].includes(answer.status) && answer.says(/unrecognized request url|search.{0,80}(?:not|n't) (?:available|supported|enabled)/iu);
      if (isAbsent) return undefined;
      throw refusalOf(answer.status, answer.code, now);
    }
    for (const customer of answer.body.data) if (typeof customer.email === 'string' && foldEmail(customer.email) === email) ids.push(customer.id);
    page = answer.body.has_more ? (answer.body.next_page ?? undefined) : undefined;
  } while (page !== undefined);
  return ids;
}

/** The identifiers that a customer carries itself, in normal form; what is not in a form that other systems know is left out. */
export function identifiersOf(customer: Customer): Identifier[] {
  const identifiers: Identifier[] = [];
  const email = typeof customer.email === 'string' ? foldEmail(customer.email.trim()) : '';
  if (/^[^\s@]+@[^\s@]+$/u.test(email)) identifiers.push({ kind: 'email', value: email });
  const phone = (customer.phone ?? '').replaceAll(/[\s().-]/gu, '');
  if (/^\+[1-9]\d{6,14}$/u.test(phone)) identifiers.push({ kind: 'phone', value: phone });
  return identifiers;
}
