import type { SimulatorContext } from '../simulator.ts';
import { listOf, textOf, type FormValue } from './form.ts';
import { unrecognized, type AddRoute, type StripeHandler, type StripeInput } from './gate.ts';
import { listPage, onlyKnown } from './paging.ts';
import { invalid, missing } from './problem.ts';
import { nextId, ownedBy, ownerEmail, type Collection, type StoredJob, type StripeObject, type StripeState } from './state.ts';

/** "Transactions don't support deletion and can only be redacted after 90 days." */
const TRANSACTION_AGE_SECONDS = 90 * 86_400;
/** At most this many object identifiers in one job. */
const OBJECTS_MAX = 10;
const REDACTED = '[redacted]';
/** The root kinds that the simulator stores; the others exist at Stripe and are refused here as unknown objects. */
const ROOTS = ['charges', 'customers', 'invoices', 'payment_intents'] as const;
const ALL_ROOTS = [
  ...ROOTS,
  'checkout_sessions',
  'identity_verification_sessions',
  'issuing_cardholders',
  'issuing_cards',
  'radar_value_list_items',
  'setup_intents',
];
const PERSONAL: Readonly<Partial<Record<Collection, readonly string[]>>> = {
  customers: ['name', 'email', 'phone', 'description', 'address', 'shipping'],
  charges: ['billing_details', 'description', 'receipt_email', 'shipping'],
  payment_intents: ['description', 'receipt_email', 'shipping'],
  payment_methods: ['billing_details'],
  invoices: ['customer_address', 'customer_email', 'customer_name', 'customer_phone', 'customer_shipping', 'customer_tax_ids', 'description'],
  disputes: ['evidence'],
  subscriptions: [],
};

type Related = { collection: Collection; item: StripeObject }[];

/** The roots of a job and all that Stripe finds by itself from them. */
function related(state: StripeState, stored: StoredJob): Related {
  const found: Related = [];
  for (const root of ROOTS) {
    for (const id of stored.objects[root] ?? []) {
      const item = state.objects[root].get(id);
      if (item !== undefined) found.push({ collection: root, item });
    }
  }
  for (const customer of stored.objects['customers'] ?? []) {
    for (const collection of ['charges', 'payment_intents', 'invoices', 'subscriptions', 'payment_methods'] as const) {
      found.push(...ownedBy(state, collection, customer).map((item) => ({ collection, item })));
    }
  }
  const charges = new Set(found.filter((each) => each.collection === 'charges').map((each) => each.item.id));
  for (const item of state.objects.disputes.values()) {
    if (charges.has(String(item['charge']))) found.push({ collection: 'disputes', item });
  }
  return found;
}

/** Why an object cannot be redacted now, and whether `validation_behavior=fix` would see to it. */
function obstacle({ collection, item }: Related[number], nowSeconds: number): { why: string; fixable: boolean } | undefined {
  const status = String(item['status']);
  const young = (collection === 'charges' || (collection === 'payment_intents' && status === 'succeeded')) && item.created + TRANSACTION_AGE_SECONDS > nowSeconds;
  if (young) return { why: 'Transactions can only be redacted after 90 days.', fixable: false };
  if (collection === 'disputes' && !['won', 'lost', 'warning_closed', 'charge_refunded'].includes(status)) {
    return { why: 'The dispute is still open.', fixable: false };
  }
  if (collection === 'invoices' && (status === 'open' || status === 'draft')) return { why: 'The invoice is still open.', fixable: true };
  if (collection === 'payment_intents' && status.startsWith('requires_')) return { why: 'The PaymentIntent was not canceled.', fixable: true };
  if (collection === 'payment_methods') return { why: 'The payment method is still attached.', fixable: true };
  if (collection === 'subscriptions' && status !== 'canceled') return { why: 'The subscription is still active.', fixable: true };
  return undefined;
}

function validationErrors(state: StripeState, stored: StoredJob, nowMs: number): StripeObject[] {
  const errors: StripeObject[] = [];
  const fail = (code: string, item: StripeObject, message: string): void => {
    const erroring = { id: item.id, object_type: item.object };
    errors.push({
      id: nextId(state, 'rdve'),
      object: 'privacy.redaction_job_validation_error',
      created: Math.floor(nowMs / 1000),
      code,
      erroring_object: erroring,
      message,
    });
  };
  const customers = new Set(stored.objects['customers']);
  for (const other of state.jobs.values()) {
    if (other === stored || !['validating', 'ready', 'redacting'].includes(other.job.status)) continue;
    for (const id of other.objects['customers'] ?? []) {
      const item = state.objects.customers.get(id);
      if (customers.has(id) && item !== undefined) fail('locked_by_other_job', item, 'The object is locked by another redaction job.');
    }
  }
  const fixes = stored.job.validation_behavior === 'fix';
  for (const each of related(state, stored)) {
    const found = obstacle(each, Math.floor(nowMs / 1000));
    if (found !== undefined && !(found.fixable && fixes)) fail('invalid_state', each.item, found.why);
  }
  return errors;
}

/** Every string inside becomes `[redacted]`; null and the structure stay. */
function redactValue(value: unknown): unknown {
  if (typeof value === 'string') return REDACTED;
  if (Array.isArray(value)) return value.map(redactValue);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, redactValue(inner)]));
  }
  return value;
}

function fix({ collection, item }: Related[number], context: SimulatorContext): void {
  const [status, effect] =
    collection === 'invoices'
      ? ['void', 'invoice.voided']
      : collection === 'payment_intents'
        ? ['canceled', 'payment_intent.canceled']
        : ['canceled', 'subscription.canceled'];
  if (collection === 'payment_methods') {
    item['customer'] = null;
    context.effect('payment_method.detached', item.id);
    return;
  }
  item['status'] = status;
  context.effect(effect ?? '', item.id);
}

function redactAll(state: StripeState, context: SimulatorContext, stored: StoredJob): void {
  for (const each of related(state, stored)) {
    const { collection, item } = each;
    if (obstacle(each, Math.floor(context.now() / 1000))?.fixable === true) fix(each, context);
    for (const field of PERSONAL[collection] ?? []) item[field] = redactValue(item[field]);
    item['metadata'] = redactValue(item['metadata'] ?? {});
    if (collection === 'customers') item['redaction'] = { status: 'redacted' };
    context.effect(`${item.object}.redacted`, item.id);
  }
}

/** Moves a job on by one stage when enough polls or enough time have gone by. */
function advance(state: StripeState, context: SimulatorContext, stored: StoredJob, polled: boolean): void {
  if (polled) stored.polls += 1;
  const { redaction_polls_per_stage: polls, redaction_stage_ms: stageMs } = state.account;
  while (stored.polls >= polls || context.now() - stored.sinceMs >= stageMs) {
    const next = nextStatus(state, context, stored);
    if (next === undefined) return;
    stored.job.status = next;
    stored.sinceMs = stored.polls >= polls ? context.now() : stored.sinceMs + stageMs;
    stored.polls = 0;
  }
}

function nextStatus(state: StripeState, context: SimulatorContext, stored: StoredJob): string | undefined {
  switch (stored.job.status) {
    case 'created':
      return 'validating';
    case 'validating':
      stored.errors = validationErrors(state, stored, context.now());
      return stored.errors.length === 0 ? 'ready' : 'failed';
    case 'redacting':
      if (!stored.lying) redactAll(state, context, stored);
      return 'succeeded';
    case 'canceling':
      return 'canceled';
    default:
      return undefined;
  }
}

function enter(stored: StoredJob, status: string, nowMs: number): void {
  stored.job.status = status;
  stored.polls = 0;
  stored.sinceMs = nowMs;
}

function answer(input: StripeInput, stored: StoredJob): object {
  const expand = [...listOf(input.query['expand']), ...listOf(input.body['expand'])];
  const url = `/v1/privacy/redaction_jobs/${stored.job.id}/validation_errors`;
  return {
    ...stored.job,
    ...(expand.includes('objects') ? { objects: stored.objects } : {}),
    ...(stored.job.status === 'failed'
      ? { validation_errors: { object: 'list', data: stored.errors.slice(0, 10), has_more: stored.errors.length > 10, url } }
      : {}),
  };
}

const ownersOf = (state: StripeState, stored: StoredJob): (string | undefined)[] =>
  (stored.objects['customers'] ?? []).map((id) => ownerEmail(state, id));

function find(state: StripeState, context: SimulatorContext, input: StripeInput): StoredJob {
  const id = input.params['job'] ?? '';
  const stored = state.jobs.get(id);
  if (stored === undefined) throw missing('redaction job', id);
  for (const owner of ownersOf(state, stored)) input.visit(owner);
  advance(state, context, stored, input.request.method === 'GET');
  return stored;
}

function behaviorOf(value: FormValue | undefined): string | null {
  const text = textOf(value);
  if (text === undefined) return null;
  if (text !== 'error' && text !== 'fix') throw invalid('Invalid validation_behavior: must be one of error or fix', 'validation_behavior');
  return text;
}

function create(state: StripeState, context: SimulatorContext, input: StripeInput): object {
  onlyKnown(input.body, ['objects', 'validation_behavior', 'expand']);
  const named = input.body['objects'];
  if (typeof named !== 'object' || Array.isArray(named)) throw invalid('Missing required param: objects.', 'objects', 'parameter_missing');
  onlyKnown(named, ALL_ROOTS);
  const objects = Object.fromEntries(Object.entries(named).map(([kind, ids]) => [kind, listOf(ids)]));
  const total = Object.values(objects).reduce((sum, ids) => sum + ids.length, 0);
  if (total === 0) throw invalid('Missing required param: objects.', 'objects', 'parameter_missing');
  if (total > OBJECTS_MAX) throw invalid('At most 10 object identifiers can be given to a redaction job.', 'objects');
  for (const [kind, ids] of Object.entries(objects)) {
    const known = ROOTS.find((root) => root === kind);
    for (const id of ids) {
      if (known === undefined || !state.objects[known].has(id)) throw missing(kind.slice(0, -1), id, `objects[${kind}]`, 400);
    }
  }
  for (const id of objects['customers'] ?? []) input.visit(ownerEmail(state, id));
  const created = Math.floor(input.nowMs / 1000);
  const job = {
    id: nextId(state, 'prj'),
    object: 'privacy.redaction_job',
    created,
    livemode: false,
    status: 'created',
    validation_behavior: behaviorOf(input.body['validation_behavior']),
  };
  const stored: StoredJob = { job, objects, errors: [], polls: 0, sinceMs: input.nowMs, lying: false };
  state.jobs.set(job.id, stored);
  context.effect('redaction_job.created', job.id);
  return answer(input, stored);
}

function requireStatus(stored: StoredJob, action: string, allowed: readonly string[]): void {
  if (allowed.includes(stored.job.status)) return;
  throw invalid(`You cannot ${action} a redaction job with a status of ${stored.job.status}; it must be ${allowed.join(' or ')}.`);
}

function run(state: StripeState, context: SimulatorContext, input: StripeInput): object {
  const stored = find(state, context, input);
  requireStatus(stored, 'run', ['ready']);
  const owners = ownersOf(state, stored);
  stored.lying = input.lies() || owners.some((owner) => input.lies(owner));
  enter(stored, 'redacting', input.nowMs);
  context.effect('redaction_job.run', stored.job.id);
  for (const owner of owners) input.settle(owner);
  return answer(input, stored);
}

function transition(state: StripeState, context: SimulatorContext, input: StripeInput, to: 'validating' | 'canceling'): object {
  const stored = find(state, context, input);
  if (to === 'validating') requireStatus(stored, 'validate', ['failed']);
  else requireStatus(stored, 'cancel', ['ready', 'failed']);
  enter(stored, to, input.nowMs);
  context.effect(to === 'validating' ? 'redaction_job.validated' : 'redaction_job.canceled', stored.job.id);
  return answer(input, stored);
}

/** Redaction jobs with their state machine; an account without the preview answers as for a path that does not exist. */
export function redactionRoutes(addAny: AddRoute, state: () => StripeState, context: SimulatorContext): void {
  const base = '/v1/privacy/redaction_jobs';
  const add = (method: 'GET' | 'POST', url: string, handler: StripeHandler): void =>
    addAny(method, url, (input) => {
      if (!state().account.has_redaction) throw unrecognized(input.request);
      return handler(input);
    });
  add('POST', base, (input) => create(state(), context, input));
  add('GET', base, (input) => {
    for (const stored of state().jobs.values()) advance(state(), context, stored, false);
    const status = textOf(input.query['status']);
    const jobs = [...state().jobs.values()].map((each) => each.job);
    return listPage(input, 'redaction job', status === undefined ? jobs : jobs.filter((job) => job.status === status), ['status']);
  });
  add('GET', `${base}/:job`, (input) => answer(input, find(state(), context, input)));
  add('POST', `${base}/:job`, (input) => {
    const stored = find(state(), context, input);
    onlyKnown(input.body, ['validation_behavior', 'expand']);
    const behavior = behaviorOf(input.body['validation_behavior']);
    if (behavior !== null && behavior !== stored.job.validation_behavior) {
      stored.job.validation_behavior = behavior;
      context.effect('redaction_job.updated', stored.job.id);
    }
    return answer(input, stored);
  });
  add('POST', `${base}/:job/run`, (input) => run(state(), context, input));
  add('POST', `${base}/:job/validate`, (input) => transition(state(), context, input, 'validating'));
  add('POST', `${base}/:job/cancel`, (input) => transition(state(), context, input, 'canceling'));
  add('GET', `${base}/:job/validation_errors`, (input) =>
    listPage(input, 'redaction job validation error', [...find(state(), context, input).errors]),
  );
}
