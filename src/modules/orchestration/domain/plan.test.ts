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
const connection = (name: string, change: Partial<Capabilities>, after: string[] = []): PlannedConnection => ({ name, connector: name, action: 'erase', after, capabilities: capabilities(change) });
const identifier = (id: string, kind: PlannedIdentifier['kind'], seenIn: string[] = []): PlannedIdentifier => ({ id: id as IdentifierId, kind, commitment: id, isDoubtful: false, seenIn });

const stripe = connection('stripe', { erases: ['stripe_customer'], locates: ['stripe_customer', 'email'] });
const map = connection('segment', { erases: ['user_id'], locates: ['email', 'user_id'], isIdentityMap: true });

test('each system is asked once for every identifier by which it erases', () => {
  const tasks = planTasks([stripe], [identifier('a', 'stripe_customer', ['stripe']), identifier('b', 'stripe_customer'), identifier('c', 'email')], 100_000);
  expect(tasks.map((task) => [task.identifierId, task.seenHere])).toEqual([['a', true], ['b', false]]);
});

test('a system that erases by nothing that the person has is searched by what it can be searched by, and not passed over', () => {
  expect(planTasks([stripe], [identifier('c', 'email')], 100_000).map((task) => task.identifierKind)).toEqual(['email']);
});

test('a system that cannot be asked by anything that is known is in the plan as exactly that', () => {
  const tasks = planTasks([stripe], [identifier('u', 'user_id')], 100_000);
  expect(tasks).toEqual([expect.objectContaining({ connection: 'stripe', decision: 'not_applicable', seenHere: false, afterConnections: [] })]);
});

test('the identity map comes after all other systems', () => {
  const tasks = planTasks([map, stripe], [identifier('u', 'user_id'), identifier('a', 'stripe_customer')], 100_000);
  expect(tasks.find((task) => task.connection === 'segment')?.afterConnections).toEqual(['stripe']);
  expect(tasks.find((task) => task.connection === 'stripe')?.afterConnections).toEqual([]);
});

const contacts = connection('genesys', { erases: ['external_id'], isSequential: true, refreshMs: { typical: 1000, worst: 10_000 } });

test('where a vendor wants one identifier after the other, each waits for those planned before it', () => {
  const tasks = planTasks([contacts, stripe], [identifier('a', 'external_id'), identifier('b', 'external_id'), identifier('c', 'stripe_customer')], 100_000);
  expect(tasks.map((task) => [task.identifierId, task.action, task.afterOwn])).toEqual([['a', 'erase', 'earlier'], ['b', 'erase', 'earlier'], ['a', 'refresh', 'erasures'], ['c', 'erase', 'none']]);
});

test('a system that could not be looked into is looked into by a task of its own, and is not said to be out of reach', () => {
  const [locate, ...rest] = planTasks([stripe], [identifier('c', 'email')], 100_000, [{ connection: 'stripe' }]);
  expect(locate).toMatchObject({ connection: 'stripe', action: 'locate', decision: 'locate', identifierId: 'c' });
  expect(rest.map((task) => [task.action, task.identifierId])).toEqual([['erase', 'c']]);
  expect(planTasks([stripe], [identifier('c', 'email'), identifier('d', 'email')], 100_000, [{ connection: 'stripe', by: 'd' as IdentifierId }])[0]?.identifierId).toBe('d');
  expect(planTasks([map], [identifier('c', 'email')], 100_000, [{ connection: 'segment' }]).map((task) => task.action)).toEqual(['locate', 'erase']);
  expect(planTasks([connection('crm', { erases: ['phone'], locates: ['email'] })], [identifier('c', 'email')], 100_000, [{ connection: 'crm' }]).map((task) => task.action)).toEqual(['locate', 'erase']);
});

test('where aggregates are derived, one last task has them refreshed, and the erasures leave it time before the deadline', () => {
  const tasks = planTasks([contacts], [identifier('a', 'external_id')], 100_000);
  expect(tasks.map((task) => [task.action, task.decision, task.latestSafeStart])).toEqual([['erase', 'erase', 30_000], ['refresh', 'refresh', 90_000]]);
  expect(planTasks([contacts], [identifier('u', 'user_id')], 100_000).map((task) => task.decision)).toEqual(['not_applicable']);
});

test("the latest safe start leaves the vendor's worst latency before the deadline", () => {
  expect(planTasks([stripe], [identifier('a', 'stripe_customer')], 100_000)[0]?.latestSafeStart).toBe(40_000);
});
