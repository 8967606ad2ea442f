import type { SimulatorContext } from '../simulator.ts';
import { textOf, type FormObject, type FormValue } from './form.ts';
import type { AddRoute, StripeInput } from './gate.ts';
import { limitOf, listPage, onlyKnown } from './paging.ts';
import { blankCustomer } from './plant.ts';
import { invalid, missing } from './problem.ts';
import { nextId, ownedBy, ownerEmail, type StripeObject, type StripeState } from './state.ts';

const SCALARS = ['name', 'email', 'phone', 'description', 'default_source', 'invoice_prefix'];
const NUMBERS = ['balance', 'next_invoice_sequence'];
const NESTED = ['address', 'shipping', 'invoice_settings'];
const UPDATABLE = [...SCALARS, ...NUMBERS, ...NESTED, 'metadata', 'preferred_locales', 'tax_exempt', 'expand'];

function setMetadata(customer: StripeObject, value: FormValue): void {
  if (value === '') {
    customer['metadata'] = {};
    return;
  }
  if (typeof value === 'string' || Array.isArray(value)) throw invalid('Invalid hash', 'metadata');
  const metadata: Record<string, unknown> = { ...(customer['metadata'] as object) };
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw invalid('Metadata values must be strings.', `metadata[${key}]`);
    if (key.length > 40 || text.length > 500) {
      throw invalid('Metadata keys can have up to 40 characters and values up to 500 characters.', `metadata[${key}]`);
    }
    if (text === '') delete metadata[key];
    else metadata[key] = text;
  }
  if (Object.keys(metadata).length > 50) throw invalid('Metadata can have up to 50 keys.', 'metadata');
  customer['metadata'] = metadata;
}

function mergeNested(old: unknown, value: FormValue): unknown {
  if (value === '') return null;
  if (typeof value === 'string' || Array.isArray(value)) return value;
  const merged: Record<string, unknown> = { ...(typeof old === 'object' ? old : null) };
  for (const [key, part] of Object.entries(value)) merged[key] = mergeNested(merged[key], part);
  return merged;
}

/** Writes the parameters of an update into a customer: an empty string unsets, an empty metadata value removes its key. */
function applyUpdate(customer: StripeObject, body: FormObject): void {
  onlyKnown(body, UPDATABLE);
  for (const [field, value] of Object.entries(body)) {
    if (field === 'expand') continue;
    if (field === 'metadata') setMetadata(customer, value);
    else if (NESTED.includes(field)) customer[field] = mergeNested(customer[field], value);
    else if (field === 'preferred_locales') customer[field] = value === '' ? [] : value;
    else if (typeof value !== 'string') throw invalid(`Invalid string: ${field}`, field);
    else if (field === 'tax_exempt') customer[field] = value === '' ? 'none' : value;
    else if (NUMBERS.includes(field)) customer[field] = Number(value);
    else if (field === 'email' && value !== '' && !/^\S+@\S+$/u.test(value)) {
      throw invalid('Invalid email address', 'email', 'email_invalid');
    } else customer[field] = value === '' ? null : value;
  }
}

const isRedacted = (customer: StripeObject): boolean =>
  (customer['redaction'] as { status?: string } | null | undefined)?.status === 'redacted';

/** The live customer of a path; 404 `resource_missing` for one that is deleted or never was. */
export function liveCustomer(state: StripeState, input: StripeInput): StripeObject {
  const id = input.params['customer'] ?? '';
  input.visit(ownerEmail(state, id));
  const customer = state.objects.customers.get(id);
  if (customer === undefined) throw missing('customer', id);
  return customer;
}

function deleteCustomer(state: StripeState, context: SimulatorContext, id: string): void {
  for (const subscription of ownedBy(state, 'subscriptions', id)) {
    if (subscription['status'] === 'canceled') continue;
    subscription['status'] = 'canceled';
    subscription['canceled_at'] = Math.floor(context.now() / 1000);
    context.effect('subscription.canceled', subscription.id);
  }
  // "Deleting customers removes all credit card details": nothing of the methods stays.
  for (const method of ownedBy(state, 'payment_methods', id)) {
    state.objects.payment_methods.delete(method.id);
    context.effect('payment_method.deleted', method.id);
  }
  for (const taxId of ownedBy(state, 'tax_ids', id)) {
    state.objects.tax_ids.delete(taxId.id);
    context.effect('tax_id.deleted', taxId.id);
  }
  state.objects.customers.delete(id);
  state.deleted.add(id);
  context.effect('customer.deleted', id);
}

/** The clauses of a search query that the simulator knows: `field:'value'` and `field~'part'`, joined by AND. */
function searchTest(query: string): (customer: StripeObject) => boolean {
  const clauses = query.split(/\s+AND\s+/iu).map((clause) => {
    const match = /^(email|name|phone|metadata\[(?:'|")([^'"]+)(?:'|")\])\s*([:~])\s*(?:'|")(.*)(?:'|")$/u.exec(clause.trim());
    if (match === null) throw invalid('We were unable to parse your search query.', 'query');
    const [, field = '', key, operator, wanted = ''] = match;
    return (customer: StripeObject): boolean => {
      const value = key === undefined ? customer[field] : (customer['metadata'] as Record<string, unknown>)[key];
      if (typeof value !== 'string') return false;
      const [left, right] = [value.toLowerCase(), wanted.toLowerCase()];
      return operator === ':' ? left === right : left.includes(right);
    };
  });
  return (customer) => clauses.every((test) => test(customer));
}

function search(state: StripeState, input: StripeInput): object {
  onlyKnown(input.query, ['query', 'limit', 'page', 'expand']);
  const query = textOf(input.query['query']);
  if (query === undefined) throw invalid('Missing required param: query.', 'query', 'parameter_missing');
  const matches = searchTest(query);
  const limit = limitOf(input.query);
  const start = Number(textOf(input.query['page']) ?? '0');
  if (!Number.isInteger(start) || start < 0) throw invalid('Invalid page.', 'page');
  const indexed = (each: StripeObject): boolean => (state.changedAtMs.get(each.id) ?? 0) + state.account.search_lag_ms <= input.nowMs;
  const found = [...state.objects.customers.values()].filter((each) => indexed(each) && matches(each));
  for (const each of found) input.visit(ownerEmail(state, each.id));
  const hasMore = start + limit < found.length;
  const data = found.slice(start, start + limit);
  return { object: 'search_result', data, has_more: hasMore, next_page: hasMore ? String(start + limit) : null, url: '/v1/customers/search' };
}

function update(state: StripeState, context: SimulatorContext, input: StripeInput): StripeObject {
  const stored = liveCustomer(state, input);
  if (isRedacted(stored)) throw invalid('This customer has been redacted and can no longer be updated.');
  const changed = structuredClone(stored);
  applyUpdate(changed, input.body);
  if (input.lies() || JSON.stringify(changed) === JSON.stringify(stored)) return changed;
  state.objects.customers.set(stored.id, changed);
  state.changedAtMs.set(stored.id, input.nowMs);
  context.effect('customer.updated', stored.id);
  return changed;
}

function create(state: StripeState, context: SimulatorContext, input: StripeInput): StripeObject {
  input.visit(textOf(input.body['email']));
  const customer = blankCustomer(nextId(state, 'cus'), Math.floor(input.nowMs / 1000));
  applyUpdate(customer, input.body);
  state.objects.customers.set(customer.id, customer);
  state.changedAtMs.set(customer.id, input.nowMs);
  if (typeof customer['email'] === 'string') state.owners.set(customer.id, customer['email']);
  context.effect('customer.created', customer.id);
  return customer;
}

/** Customers: list by exact e-mail, search, create, read, update, delete. */
export function customerRoutes(add: AddRoute, state: () => StripeState, context: SimulatorContext): void {
  add('GET', '/v1/customers', (input) => {
    const email = textOf(input.query['email']);
    input.visit(email);
    const all = [...state().objects.customers.values()];
    const found = email === undefined ? all : all.filter((each) => each['email'] === email);
    return listPage(input, 'customer', found, ['email', 'created', 'test_clock']);
  });
  add('GET', '/v1/customers/search', (input) => search(state(), input));
  add('POST', '/v1/customers', (input) => create(state(), context, input));
  add('GET', '/v1/customers/:customer', (input) => {
    const id = input.params['customer'] ?? '';
    input.visit(ownerEmail(state(), id));
    if (state().deleted.has(id)) return { id, object: 'customer', deleted: true };
    const customer = state().objects.customers.get(id);
    if (customer === undefined) throw missing('customer', id);
    return customer;
  });
  add('POST', '/v1/customers/:customer', (input) => update(state(), context, input));
  add('DELETE', '/v1/customers/:customer', (input) => {
    const { id } = liveCustomer(state(), input);
    const owner = ownerEmail(state(), id);
    if (!input.lies(owner)) deleteCustomer(state(), context, id);
    input.settle(owner);
    return { id, object: 'customer', deleted: true };
  });
}
