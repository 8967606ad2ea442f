import { describe, expect, it } from 'vitest';
import type { Plan, Task } from '../api-schemas.ts';
import { createLiveLines } from './live-lines.ts';
import { renderPlan } from './plan-graph.ts';
import { renderBar, renderElapsed } from './progress.ts';
import { describeTask, taskLines } from './task-lines.ts';

const identifier = (id: string, kind: string, found_by: string, via: string | null): Plan['identifiers'][number] => ({ id, kind, commitment: `${id}${'0'.repeat(60)}`, found_by, via, seen_in: [] });
const planned = (system: string, after: string[], status: string | null, outcome: string | null): Plan['tasks'][number] => ({
  system,
  identifier: { kind: 'email', commitment: '1'.repeat(64) },
  action: 'erase',
  decision: 'erase',
  after,
  seen_here: true,
  status,
  outcome,
});

describe('the plan in the terminal', () => {
  const plan: Plan = {
    preview: false,
    identifiers: [identifier('a', 'email', 'given', null), identifier('b', 'user_id', 'connection:segment', 'a')],
    tasks: [planned('segment', ['stripe', 'twilio'], 'waiting', null), planned('stripe', [], 'settled', 'erased'), planned('twilio', [], 'manual', 'erased')],
  };

  it('puts systems after those that they wait for, and an identifier under what led to it', () => {
    const text = renderPlan(plan).join('\n');
    expect(text.indexOf('┌ stripe')).toBeLessThan(text.indexOf('┌ segment'));
    expect(text.indexOf('┌ twilio')).toBeLessThan(text.indexOf('┌ segment'));
    expect(text).toMatch(/● email .*given with the request\n\s+└─ user_id .*found in segment/u);
  });

  it('shows an outcome only where the task is settled: what waits for a person is not shown as erased', () => {
    const lines = renderPlan(plan);
    expect(lines.filter((line) => line.endsWith('→ erased'))).toHaveLength(1);
    expect(lines.filter((line) => line.endsWith('→ waits for a person'))).toHaveLength(1);
  });

  it('ends when dependencies run in a circle', () => {
    const circle = { ...plan, tasks: [planned('stripe', ['twilio'], null, null), planned('twilio', ['stripe'], null, null)] };
    expect(renderPlan(circle).join('\n')).toContain('┌ twilio');
  });
});

describe('a task in the terminal', () => {
  const task: Task = { id: 'tsk_0', system: 'stripe', identifier: { kind: 'email', commitment: '' }, action: 'erase', status: 'running', outcome: null, confirmation: null, counts: {}, residue: [], progress: { done: 5, total: 10 }, error_code: 'VENDOR_TIMEOUT', attempts: 2, wake_at: null };

  it('says why it is tried again, how far it is and how many steps it took', () => {
    expect(taskLines([task])[0]).toContain('running, again after VENDOR_TIMEOUT 5/10 (2 steps)');
  });

  it('never reads as done while it waits for a person', () => {
    expect(describeTask({ ...task, status: 'manual', outcome: 'erased', error_code: 'STILL_PRESENT' })).toBe('WAITS FOR A PERSON: STILL_PRESENT');
  });
});

describe('live lines', () => {
  const record = (isTTY: boolean) => {
    const written: string[] = [];
    return { written, output: { write: (text: string) => written.push(text), isTTY, columns: 20 } };
  };

  it('draw over themselves on a terminal, cut to its width', () => {
    const { written, output } = record(true);
    const live = createLiveLines(output);
    live.draw(['one', 'x'.repeat(50)]);
    live.draw(['two']);
    expect(written).toEqual([`one\n${'x'.repeat(19)}\n`, '\u001B[2A\r\u001B[0Jtwo\n']);
  });

  it('print each line once elsewhere, without control characters', () => {
    const { written, output } = record(false);
    const live = createLiveLines(output);
    live.draw(['one', 'two']);
    live.draw(['one', 'three']);
    expect(written).toEqual(['one\n', 'two\n', 'three\n']);
  });
});

it('a bar has its width whatever the share, and times read as people say them', () => {
  expect([-1, 0, 0.5, 1, 2].map((fraction) => renderBar(fraction, 4))).toEqual(['····', '····', '██··', '████', '████']);
  expect([renderElapsed(7400), renderElapsed(187_000), renderElapsed(7_500_000)]).toEqual(['7.4 s', '3 min 07 s', '2 h 05 min']);
});
