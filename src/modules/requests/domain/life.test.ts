import { expect, test } from 'vitest';
import { endedStatuses, mayFollow, requestLife } from './life.ts';

test('every state that has not ended has an exit', () => {
  for (const [state, exits] of Object.entries(requestLife)) {
    if (!endedStatuses.includes(state as keyof typeof requestLife)) expect(exits, state).not.toEqual([]);
  }
});

test('every state can be reached from received', () => {
  const reached = new Set<string>(['received']);
  for (const state of reached) for (const next of requestLife[state as keyof typeof requestLife]) reached.add(next);
  expect([...reached].toSorted()).toEqual(Object.keys(requestLife).toSorted());
});

test('nothing is executed before the person was verified', () => {
  const before = ['received', 'verifying'] as const;
  for (const state of before) for (const next of ['resolving', 'planned', 'executing'] as const) expect(mayFollow(state, next)).toBe(false);
});
