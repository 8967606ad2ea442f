import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { afterConfirm, afterAct, afterFailure, type ConfirmFacts } from './erasure-outcome.ts';

const nothing = { counts: {}, residue: [] } as const;
const identifier = { kind: 'stripe_customer', value: 'cus_example1' } as const;
const facts: ConfirmFacts = {
  outcome: 'erased',
  isOthers: (each) => each.value === 'cus_other12',
  confirmCount: 0,
  confirmAttemptsMax: 3,
  revisitAt: undefined,
};

describe('after a step of the erasure', () => {
  test('what the system calls erased is read back before it counts', () => {
    expect(afterAct({ state: 'done', outcome: 'erased', ...nothing }, { seenHere: true, isLastHope: false })).toEqual({ to: 'confirming', wakeInMs: 0, outcome: 'erased' });
  });
  test('what is already absent is read back too', () => {
    expect(afterAct({ state: 'done', outcome: 'already_absent', ...nothing }, { seenHere: true, isLastHope: false }).to).toBe('confirming');
  });
  test('finding nothing where resolution saw the person goes to a person', () => {
    expect(afterAct({ state: 'done', outcome: 'nothing_matched', ...nothing }, { seenHere: true, isLastHope: false })).toEqual({ to: 'manual', code: 'NOTHING_MATCHED' });
  });
  test('finding nothing where nobody saw the person is settled as exactly that', () => {
    expect(afterAct({ state: 'done', outcome: 'nothing_matched', ...nothing }, { seenHere: false, isLastHope: false })).toEqual({ to: 'settled', outcome: 'nothing_matched', confirmation: null });
  });
  test('what is retained is settled without a confirmation, and comes back when it is of age', () => {
    expect(afterAct({ state: 'done', outcome: 'nothing_matched', ...nothing }, { seenHere: false, isLastHope: true })).toEqual({ to: 'manual', code: 'NOTHING_MATCHED' });
    expect(afterAct({ state: 'done', outcome: 'retained', ...nothing, revisitAt: 5 }, { seenHere: true, isLastHope: false })).toEqual({ to: 'settled', outcome: 'retained', confirmation: null, revisitAt: 5 });
  });
  test('a vendor that needs time is waited for, never for a negative time', () => {
    expect(afterAct({ state: 'wait', cursor: null, afterMs: -7, reason: 'vendor_job' }, { seenHere: true, isLastHope: false })).toEqual({ to: 'running', wakeInMs: 0 });
  });
});

describe('after a read-back', () => {
  test('absent is verified absent', () => {
    expect(afterConfirm({ state: 'absent' }, facts)).toEqual({ to: 'settled', outcome: 'erased', confirmation: 'verified_absent' });
  });
  test("the vendor's word alone is said to be that", () => {
    expect(afterConfirm({ state: 'attested' }, facts)).toMatchObject({ confirmation: 'attested_by_vendor' });
  });
  test('a system that still shows the person is looked at again, less and less often', () => {
    const present = { state: 'present', found: [identifier] } as const;
    expect(afterConfirm(present, facts)).toEqual({ to: 'confirming', wakeInMs: 1000, countsConfirm: true });
    expect(afterConfirm(present, { ...facts, confirmCount: 1 })).toMatchObject({ wakeInMs: 2000 });
  });
  test('a system that goes on showing the person ends with a person, unconfirmed, and not with success', () => {
    expect(afterConfirm({ state: 'present', found: [identifier] }, { ...facts, confirmCount: 2 })).toEqual({ to: 'manual', code: 'STILL_PRESENT', confirmation: 'unconfirmed' });
  });
  test('present without saying under what counts as present', () => {
    expect(afterConfirm({ state: 'present', found: [] }, facts).to).toBe('confirming');
  });
  test('what is found under an identifier whose own task is over counts as still present', () => {
    expect(afterConfirm({ state: 'present', found: [{ kind: 'stripe_customer', value: 'cus_over1234' }] }, facts).to).toBe('confirming');
  });
  test('what is found under something that has no task of its own counts as still present', () => {
    expect(afterConfirm({ state: 'present', found: [{ kind: 'email', value: 'ada@example.com' }] }, facts).to).toBe('confirming');
  });
  test('what is found under an identifier whose own task is under way does not hold up this task', () => {
    expect(afterConfirm({ state: 'present', found: [{ kind: 'stripe_customer', value: 'cus_other12' }] }, facts)).toMatchObject({ to: 'settled', confirmation: 'verified_absent' });
  });
});

describe('after a call that failed', () => {
  const state = { status: 'running', attempt: 1, windowPassed: false, waitMs: 42 } as const;
  test('what can be tried later is tried later', () => {
    expect(afterFailure({ code: 'VENDOR_TIMEOUT', retry: 'later' }, state)).toEqual({ to: 'running', wakeInMs: 42 });
  });
  test('what only a person can mend goes to a person at once', () => {
    expect(afterFailure({ code: 'CONNECTION_AUTH', retry: 'operator' }, state)).toEqual({ to: 'manual', code: 'CONNECTION_AUTH' });
  });
  test('what fails until the window has passed goes to a person', () => {
    expect(afterFailure({ code: 'VENDOR_UNAVAILABLE', retry: 'later' }, { ...state, windowPassed: true })).toEqual({ to: 'manual', code: 'TASK_WINDOW_PASSED' });
  });
  test('a bug of our own is not tried for ever', () => {
    expect(afterFailure({ code: 'INTERNAL', retry: 'later' }, { ...state, attempt: 6 })).toEqual({ to: 'manual', code: 'INTERNAL' });
  });
});

test('no failure, whatever it is, is ever counted as success', () => {
  const failures = fc.record({ code: fc.constantFrom('VENDOR_TIMEOUT', 'CONNECTION_AUTH', 'INTERNAL', 'KEY_DESTROYED', 'VENDOR_MALFORMED'), retry: fc.constantFrom('never', 'later', 'operator') });
  const states = fc.record({ status: fc.constantFrom('running', 'confirming'), attempt: fc.nat(20), windowPassed: fc.boolean(), waitMs: fc.nat() });
  fc.assert(
    fc.property(failures, states, (failure, state) => {
      expect(afterFailure(failure as Parameters<typeof afterFailure>[0], state as Parameters<typeof afterFailure>[1]).to).not.toBe('settled');
    }),
  );
});
