import { expect, test } from 'vitest';
import type { Capabilities } from '../../../connector-kit/index.ts';
import type { IdentifierId } from '../../../contract/ids.ts';
import { planTasks, type PlannedConnection, type PlannedIdentifier } from './plan.ts';

const capabilities = (change: Partial<Capabilities>): Capabilities => ({
  erases: [],
  locates: [],
  actions: ['erase'],
  isIdentityMap: false,
  latencyMs: { typical: 1000, worst: 60_000 },
  sanitization: 'clear',
  limits: { concurrency: 1, callsPerSecond: 1, burst: 1 },
  ...change,
});
const connection = (name: string, change: Partial<Capabilities>, after: string[] = [], can: PlannedConnection['connection'] = {}): PlannedConnection => ({ name, connector: name, action: 'erase', after, capabilities: capabilities(change), connection: can });
const identifier = (id: string, kind: PlannedIdentifier['kind'], seenIn: string[] = []): PlannedIdentifier => ({ id: id as IdentifierId, kind, commitment: id, isDoubtful: false, seenIn });

const stripe = connection('stripe', { erases: ['stripe_customer'], locates: ['stripe_customer', 'email'] });
const map = connection('segment', { erases: ['user_id'], locates: ['email', 'user_id'], isIdentityMap: true });

test('each system is asked once for every identifier by which it erases', () => {
  const tasks = planTasks('erasure', [stripe], [identifier('a', 'stripe_customer', ['stripe']), identifier('b', 'stripe_customer'), identifier('c', 'email')], 100_000);
  expect(tasks.map((task) => [task.identifierId, task.seenHere])).toEqual([['a', true], ['b', false]]);
});

test('a system that erases by nothing that the person has is searched by what it can be searched by, and not passed over', () => {
  expect(planTasks('erasure', [stripe], [identifier('c', 'email')], 100_000).map((task) => task.identifierKind)).toEqual(['email']);
});

test('a system that cannot be asked by anything that is known is in the plan as exactly that', () => {
  const tasks = planTasks('erasure', [stripe], [identifier('u', 'user_id')], 100_000);
  expect(tasks).toEqual([expect.objectContaining({ connection: 'stripe', decision: 'not_applicable', seenHere: false, afterConnections: [] })]);
});

test('the identity map comes after all other systems', () => {
  const tasks = planTasks('erasure', [map, stripe], [identifier('u', 'user_id'), identifier('a', 'stripe_customer')], 100_000);
  expect(tasks.find((task) => task.connection === 'segment')?.afterConnections).toEqual(['stripe']);
  expect(tasks.find((task) => task.connection === 'stripe')?.afterConnections).toEqual([]);
});

const contacts = connection('genesys', { erases: ['external_id'], isSequential: true, refreshMs: { typical: 1000, worst: 10_000 } });

test('where a vendor wants one identifier after the other, each waits for those planned before it', () => {
  const tasks = planTasks('erasure', [contacts, stripe], [identifier('a', 'external_id'), identifier('b', 'external_id'), identifier('c', 'stripe_customer')], 100_000);
  expect(tasks.map((task) => [task.identifierId, task.action, task.afterOwn])).toEqual([['a', 'erase', 'earlier'], ['b', 'erase', 'earlier'], ['a', 'refresh', 'erasures'], ['c', 'erase', 'none']]);
});

test('a system that could not be looked into is looked into by a task of its own, and is not said to be out of reach', () => {
  const [locate, ...rest] = planTasks('erasure', [stripe], [identifier('c', 'email')], 100_000, [{ connection: 'stripe' }]);
  expect(locate).toMatchObject({ connection: 'stripe', action: 'locate', decision: 'locate', identifierId: 'c' });
  expect(rest.map((task) => [task.action, task.identifierId])).toEqual([['erase', 'c']]);
  expect(planTasks('erasure', [stripe], [identifier('c', 'email'), identifier('d', 'email')], 100_000, [{ connection: 'stripe', by: 'd' as IdentifierId }])[0]?.identifierId).toBe('d');
  expect(planTasks('erasure', [map], [identifier('c', 'email')], 100_000, [{ connection: 'segment' }]).map((task) => task.action)).toEqual(['locate', 'erase']);
  expect(planTasks('erasure', [connection('crm', { erases: ['phone'], locates: ['email'] })], [identifier('c', 'email')], 100_000, [{ connection: 'crm' }]).map((task) => task.action)).toEqual(['locate', 'erase']);
});

test('where aggregates are derived, one last task has them refreshed, and the erasures leave it time before the deadline', () => {
  const tasks = planTasks('erasure', [contacts], [identifier('a', 'external_id')], 100_000);
  expect(tasks.map((task) => [task.action, task.decision, task.latestSafeStart])).toEqual([['erase', 'erase', 30_000], ['refresh', 'refresh', 90_000]]);
  expect(planTasks('erasure', [contacts], [identifier('u', 'user_id')], 100_000).map((task) => task.decision)).toEqual(['not_applicable']);
});

test("the latest safe start leaves the vendor's worst latency before the deadline", () => {
  expect(planTasks('erasure', [stripe], [identifier('a', 'stripe_customer')], 100_000)[0]?.latestSafeStart).toBe(40_000);
});

const canExport: PlannedConnection['connection'] = { export: async function* none() {} };

test('for access every system that can be read is read by each name, and one that gives everything at once is asked once, by its surest name', () => {
  const crm = connection('crm', { erases: ['email', 'phone'] }, [], canExport);
  const app = connection('app', { erases: ['email', 'user_id'], exportsWhole: true }, [], canExport);
  const doubtful = { ...identifier('d', 'email', ['app']), isDoubtful: true };
  const tasks = planTasks('access', [crm, app], [doubtful, identifier('e', 'email'), identifier('p', 'phone'), identifier('u', 'user_id', ['app'])], 100_000);
  expect(tasks.map((task) => [task.connection, task.identifierId, task.action, task.isDoubtful])).toEqual([
    ['crm', 'd', 'export', true],
    ['crm', 'e', 'export', false],
    ['crm', 'p', 'export', false],
    ['app', 'u', 'export', false],
  ]);
});

test('a system that cannot give or correct what it holds is given to a person, once', () => {
  for (const right of ['access', 'portability', 'rectification'] as const) {
    expect(planTasks(right, [stripe], [identifier('a', 'stripe_customer'), identifier('b', 'stripe_customer')], 100_000).map((task) => task.decision)).toEqual(['unsupported']);
  }
});

test('nothing is erased for a right that is not erasure, and nothing is called for one that only restricts', () => {
  const all = [stripe, map, connection('crm', { erases: ['email'], refreshMs: { typical: 1, worst: 1 } }, [], canExport)];
  const known = [identifier('a', 'stripe_customer'), identifier('u', 'user_id'), identifier('e', 'email')];
  for (const right of ['access', 'portability', 'rectification'] as const) {
    expect(new Set(planTasks(right, all, known, 100_000, [{ connection: 'segment' }]).map((task) => task.action))).not.toContain('erase');
    expect(planTasks(right, all, known, 100_000).some((task) => task.action === 'anonymise' || task.action === 'refresh')).toBe(false);
  }
  for (const right of ['restriction', 'objection', 'opt_out_sale', 'limit_sensitive', 'automated_decision'] as const) expect(planTasks(right, all, known, 100_000)).toEqual([]);
  expect(planTasks('erasure', all, known, 100_000).map((task) => task.action)).toContain('erase');
});

test('a request that is limited to some systems anonymises there where it can, and says of each other one that it is not asked', () => {
  const twilio = connection('twilio', { erases: ['phone'], actions: ['erase', 'anonymise'] }, ['stripe']);
  const known = [identifier('u', 'user_id'), identifier('p', 'phone'), identifier('a', 'stripe_customer')];
  const tasks = planTasks('erasure', [stripe, twilio, map], known, 100_000, [{ connection: 'stripe' }], ['twilio', 'segment']);
  expect(tasks.map((task) => [task.connection, task.action, task.decision, task.isOutside ?? false])).toEqual([
    ['stripe', 'erase', 'not_applicable', true],
    ['twilio', 'anonymise', 'anonymise', false],
    ['segment', 'erase', 'erase', false],
  ]);
  expect(tasks.find((task) => task.connection === 'segment')?.afterConnections).toEqual(['twilio']);
  expect(planTasks('erasure', [stripe, twilio, map], known, 100_000, [], null).some((task) => task.isOutside === true)).toBe(false);
});
