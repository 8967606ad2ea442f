import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createIntakePressure, type IntakePressure } from './intake-pressure.ts';

let pressure: IntakePressure;
let answer: (() => void)[];

beforeEach(() => {
  vi.useFakeTimers();
  pressure = createIntakePressure();
  answer = [];
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const receive = (count: number): Promise<unknown>[] => Array.from({ length: count }, () => pressure.during(() => new Promise<void>((resolve) => answer.push(resolve))));
const state = async (work: Promise<void>): Promise<string> => Promise.race([work.then(() => 'goes on'), vi.advanceTimersByTimeAsync(0).then(() => 'waits')]);

it('work goes on at once beside a few messages', async () => {
  const messages = receive(16);
  expect(await state(pressure.relieved())).toBe('goes on');
  for (const each of answer) each();
  await Promise.all(messages);
});

it('work stands back while many messages wait, and goes on as soon as they are few', async () => {
  const messages = receive(18);
  const work = pressure.relieved();
  expect(await state(work)).toBe('waits');
  answer[0]?.();
  expect(await state(work)).toBe('waits');
  answer[1]?.();
  await messages[1];
  expect(await state(work)).toBe('goes on');
  for (const each of answer) each();
  await Promise.all(messages);
});

it('work goes on after five seconds however many messages wait', async () => {
  const messages = receive(1000);
  const work = pressure.relieved();
  await vi.advanceTimersByTimeAsync(4999);
  expect(await state(work)).toBe('waits');
  await vi.advanceTimersByTimeAsync(1);
  await work;
  for (const each of answer) each();
  await Promise.all(messages);
});

it('a message that fails is counted no longer', async () => {
  await Promise.allSettled(Array.from({ length: 100 }, () => pressure.during(async () => Promise.reject(new Error('refused')))));
  expect(await state(pressure.relieved())).toBe('goes on');
});
