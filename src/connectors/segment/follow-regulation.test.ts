import { describe, expect, it } from 'vitest';
import { pollAfterMs } from './follow-regulation.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

describe('the polling of a regulation', () => {
  it.each([
    ['a new one', 0, 1000],
    ['one of eight seconds', 8000, 1000],
    ['one of a minute', minuteMs, 7500],
    ['one of eight minutes', 8 * minuteMs, minuteMs],
    ['one of two hours', 2 * hourMs, 15 * minuteMs],
    ['one of ten hours', 10 * hourMs, hourMs],
    ['one of thirty days', 720 * hourMs, hourMs],
    ['one that our clock sees in the future', -minuteMs, 1000],
  ])('looks at %s again after %d ms of age in %d ms', (_name, age, after) => {
    expect(pollAfterMs(age)).toBe(after);
  });

  it('costs less than 800 calls in the thirty days that Segment allows itself', () => {
    let calls = 0;
    for (let age = 0; age < 720 * hourMs; age += pollAfterMs(age)) calls += 1;
    expect(calls).toBeLessThan(800);
  });
});
