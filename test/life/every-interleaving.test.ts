import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requestLife, taskLife, type Life } from '../../src/contract/life.ts';
import { explore, type Explored } from './explore.ts';
import { openSimDatabase, type SimDatabase } from './sim-database.ts';
import type { Scenario } from './world.ts';

/**
 * All interleavings on a small plan: the real code, with a database that can be gone back in, vendors whose every answer is chosen, a clock that
 * is moved, and processes that can stand still before any operation and go on at any later time (one that never goes on was killed). What is
 * bounded is how much may go wrong in one life: `LIFE_FAULTS_MAX=2` looks deeper and takes minutes. Vendors with jobs call back at any time, as often
 * as they like, and are asked for their jobs by the reconciliation; what becomes of a late success is in it.
 */
const deeper = Number(process.env['LIFE_FAULTS_MAX'] ?? 0);
const emails = ['ada@example.com'];
const plain = { emails, isVerified: true, needsApproval: false } as const;
const timeout = deeper > 0 ? 7_200_000 : 240_000;

/** What is explored, and the least number of transitions without which it is not what it says. */
const scenarios: readonly (readonly [Scenario, number])[] = [
  [
    {
      ...plain,
      name: 'one system after another',
      connections: { alpha: { style: 'asynchronous' }, beta: { style: 'immediate', after: ['alpha'] } },
      faultsMax: 1,
      faults: ['pause', 'twice', 'early', 'late', 'jobs_lost', 'window', 'operator_ends', 'suspend', 'unconfigure', 'certificate_waits'],
    },
    1500,
  ],
  [{ ...plain, name: 'before anything is deleted', connections: { alpha: { style: 'immediate' } }, isVerified: false, needsApproval: true, endsBeforeExecution: true, faultsMax: 1, faults: ['pause', 'operator_ends'] }, 100],
  [
    { ...plain, name: 'two identifiers and one place', connections: { alpha: { style: 'immediate' }, blind: { style: 'blind' } }, emails: [...emails, 'lovelace@example.com'], doubtful: ['lovelace@example.com'], faultsMax: 0, faults: ['pause', 'suspend'] },
    50,
  ],
  // Two things at once: a worker that stands still, and a connection that is shut meanwhile, once left a settled task in the connection's queue.
  [{ ...plain, name: 'a connection is shut', connections: { alpha: { style: 'immediate' } }, vendorsBehave: true, pausesOnlyAt: 'call', faultsMax: 2, faults: ['pause', 'suspend'] }, 200],
  // The refusal, and the appeal against it; or the appeal against what it came to.
  [{ ...plain, name: 'an appeal is granted', connections: { alpha: { style: 'immediate' } }, emails: [...emails, 'lovelace@example.com'], doubtful: ['lovelace@example.com'], isVerified: false, needsApproval: true, vendorsBehave: true, faultsMax: 2, faults: ['operator_ends', 'appeal'] }, 100],
  [{ ...plain, name: 'too young to erase', connections: { alpha: { style: 'immediate', isTooYoung: true } }, faultsMax: 1, faults: ['jobs_lost', 'late'] }, 100],
];

let db: SimDatabase;
const moves = new Set<string>();

beforeAll(async () => {
  db = await openSimDatabase();
}, 120_000);
afterAll(async () => {
  await db.close();
});

/** The violations as text that can be followed. */
const told = (found: Explored): string => found.violations.map(({ what, path }) => [what, ...path].join('\n    ')).join('\n');

describe('whatever happens, and in whatever order, nothing is lost, done twice or said to be better than it is', () => {
  test.each(scenarios)('$name', { timeout }, async (scenario, least) => {
    const started = performance.now();
    const found = await explore(db, { ...scenario, faultsMax: Math.max(scenario.faultsMax, deeper) });
    for (const move of found.moves) moves.add(move);
    console.log(`${scenario.name}: ${found.states} states, ${found.transitions} transitions in ${Math.round(performance.now() - started)} ms`, found.actions);
    expect(told(found)).toBe('');
    expect(found.transitions).toBeGreaterThan(least);
  });

  test('every move of both lives was made, and no other', () => {
    const made = (life: Life<string>, of: string): string[] =>
      Object.entries(life).flatMap(([from, state]) => [
        ...(state.begins === true && from !== 'received' ? [`${of}: [*] -> ${from}`] : []),
        // What has only arrived is never stored: intake stores what it becomes.
        ...Object.keys(state.exits).flatMap((to) => (from === to ? [] : [`${of}: ${from === 'received' ? '[*]' : from} -> ${to}`])),
      ]);
    expect([...moves].toSorted()).toEqual([...new Set([...made(requestLife, 'request'), ...made(taskLife, 'task')])].toSorted());
  });
});

describe('a bug that is put in on purpose is found', () => {
  const small: Scenario = { ...plain, name: 'planted', connections: { alpha: { style: 'asynchronous' } }, faultsMax: 1, faults: [] };

  test('nothing is found without one', { timeout }, async () => {
    expect(told(await explore(db, { ...small, faults: ['pause', 'jobs_lost'] }))).toBe('');
  });

  test('a worker that lost its task and writes all the same', { timeout }, async () => {
    expect(told(await explore(db, { ...small, faults: ['pause'], planted: 'no_fence' }))).toContain(', fenced');
  });

  test('a retry under a new idempotency key', { timeout }, async () => {
    expect(told(await explore(db, { ...small, planted: 'new_key_each_attempt' }))).toContain('effects under different keys');
  });

  test('a sweep that finds nothing, when the queue has lost its jobs', { timeout }, async () => {
    expect(told(await explore(db, { ...small, faults: ['jobs_lost'], planted: 'no_sweep' }))).toMatch(/nothing can happen any more|goes round in a circle/u);
  });
});
