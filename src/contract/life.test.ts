import { describe, expect, test } from 'vitest';
import { endsOf, mayFollow, requestLife, taskLife, type Life } from './life.ts';

const exitsOf = <State extends string>(life: Life<State>, state: State): readonly State[] => Object.keys(life[state].exits) as State[];

describe.each([
  ['request', requestLife as Life<string>],
  ['task', taskLife as Life<string>],
])('the life of a %s', (_of, life) => {
  const states = Object.keys(life);

  test('leads only to states that there are', () => {
    for (const state of states) for (const exit of exitsOf(life, state)) expect(states).toContain(exit);
  });

  test('has an exit from every state that is not an end, and says who takes it and when', () => {
    for (const state of states) {
      const exits = Object.values(life[state]?.exits ?? {}).flatMap((exit) => (exit === undefined ? [] : [exit]));
      if (life[state]?.ends !== true) expect(exits.length, state).toBeGreaterThan(0);
      for (const exit of exits) expect(exit.by.length * exit.when.length, state).toBeGreaterThan(0);
    }
  });

  test('reaches every state from where it begins', () => {
    const reached = new Set(states.filter((state) => life[state]?.begins === true));
    expect(reached.size).toBeGreaterThan(0);
    for (const state of reached) for (const next of exitsOf(life, state)) reached.add(next);
    expect([...reached].toSorted()).toEqual(states.toSorted());
  });

  test('reaches an end from every state', () => {
    const ending = new Set(endsOf(life));
    expect(ending.size).toBeGreaterThan(0);
    for (let size = 0; size !== ending.size; ) {
      size = ending.size;
      for (const state of states) if (exitsOf(life, state).some((next) => ending.has(next))) ending.add(state);
    }
    expect([...ending].toSorted()).toEqual(states.toSorted());
  });

  test('leaves an end only when a time comes, when a vendor takes its word back, or when an operator grants an appeal', () => {
    const exits = endsOf(life).flatMap((state) => Object.values(life[state]?.exits ?? {}));
    expect(exits.length).toBeGreaterThan(0);
    for (const exit of exits) {
      expect(['time', 'vendor', 'operator']).toEqual(expect.arrayContaining([...(exit?.by ?? [])]));
      if (exit?.by.includes('operator') === true) expect(exit.when).toContain('an appeal');
    }
  });
});

test('nothing is executed before the person was verified', () => {
  const before = ['received', 'verifying'] as const;
  for (const state of before) for (const next of ['resolving', 'planned', 'executing'] as const) expect(mayFollow(requestLife, state, next)).toBe(false);
  expect(mayFollow(requestLife, 'planned', 'executing')).toBe(true);
});

test('what was given to a person is settled by that person, or erased again, and never simply confirmed', () => {
  expect(Object.keys(taskLife.manual.exits).toSorted()).toEqual(['running', 'settled']);
});
