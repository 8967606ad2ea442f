import { describe, expect, test } from 'vitest';
import type { ConfirmResult, EraseResult } from '../../connector-kit/index.ts';
import { checkConfirmResult, checkActResult } from './check-result.ts';

const done = { state: 'done', outcome: 'erased', counts: { customers: 1 }, residue: [] } as const;
const refusal = (check: () => unknown): unknown => {
  try {
    return check();
  } catch (error) {
    return error;
  }
};

describe('what a connector reports', () => {
  test.each<EraseResult>([
    done,
    { ...done, revisitAt: 1_800_000_000_000, vendorJob: 'job_1', proof: { mark_read_back: true } },
    { state: 'continue', cursor: null, done: 1, total: 2 },
    { state: 'wait', cursor: null, afterMs: 0, reason: 'vendor_job' },
    { state: 'operator', code: 'NOTHING_MATCHED', detail: '', counts: {}, residue: [] },
  ])('of an erasure is taken as it is: %j', (result) => {
    expect(checkActResult('erase', result)).toBe(result);
  });

  test('of a refresh is that it was refreshed, or that there was nothing to, and of an erasure never that', () => {
    const refreshed = { ...done, outcome: 'refreshed', counts: {} } as const;
    expect(checkActResult('refresh', refreshed)).toBe(refreshed);
    expect(checkActResult('refresh', { ...refreshed, outcome: 'nothing_matched' })).toMatchObject({ outcome: 'nothing_matched' });
    expect(refusal(() => checkActResult('refresh', done))).toMatchObject({ code: 'INTERNAL' });
    expect(refusal(() => checkActResult('erase', refreshed))).toMatchObject({ code: 'INTERNAL' });
  });

  test.each<ConfirmResult>([{ state: 'absent' }, { state: 'attested' }, { state: 'later', afterMs: 5 }, { state: 'present', found: [{ kind: 'email', value: 'ada@example.com' }] }])(
    'of a read-back is taken as it is: $state',
    (result) => {
      expect(checkConfirmResult(result)).toBe(result);
    },
  );

  test.each([
    ['a state that does not exist', { ...done, state: 'finished' }, '/state'],
    ['an outcome that does not exist', { ...done, outcome: 'verified' }, '/outcome'],
    ['a fraction', { ...done, counts: { customers: 0.5 } }, '/counts/customers'],
    ['a wait that is no number', { state: 'wait', cursor: null, afterMs: Number.NaN, reason: 'vendor_job' }, '/afterMs'],
    ['a code that does not exist', { state: 'operator', code: 'ODD', detail: '', counts: {}, residue: [] }, '/code'],
    ['nothing', undefined, '/'],
  ])('of an erasure is refused with its place where it is %s', (_what, result, place) => {
    expect(refusal(() => checkActResult('erase', result as unknown as EraseResult))).toMatchObject({ code: 'INTERNAL', detail: expect.stringContaining(place) as string });
  });

  test.each([
    ['a state that does not exist', { state: 'gone' }, '/state'],
    ['a look at no time', { state: 'later' }, '/afterMs'],
    ['found under nothing', { state: 'present' }, '/found'],
  ])('of a read-back is refused with its place where it is %s', (_what, result, place) => {
    expect(refusal(() => checkConfirmResult(result as unknown as ConfirmResult))).toMatchObject({ code: 'INTERNAL', detail: expect.stringContaining(place) as string });
  });
});
