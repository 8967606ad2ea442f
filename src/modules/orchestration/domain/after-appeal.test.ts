import { expect, test } from 'vitest';
import { afterAppeal, type AppealedTask } from './after-appeal.ts';

const begun: AppealedTask = { decision: 'erase', outcome: 'erased', confirmation: 'verified_absent', wasBegun: true };

test('what was done and seen stays; what was done by a word of which nothing was seen does not', () => {
  for (const outcome of ['erased', 'anonymised', 'already_absent', 'corrected'] as const) {
    expect(afterAppeal({ ...begun, outcome }, false)).toBe('stays');
    expect(afterAppeal({ ...begun, outcome, confirmation: 'attested_by_vendor' }, false)).toBe('stays');
  }
  expect(afterAppeal({ ...begun, confirmation: 'unconfirmed' }, false)).toBe('again');
});

test('what found nothing, was kept or copied is asked again, and what a person decided is decided by a person again', () => {
  for (const outcome of ['nothing_matched', 'retained', 'exported', 'located', 'failed'] as const) expect(afterAppeal({ ...begun, outcome, confirmation: null }, false)).toBe('again');
  for (const outcome of ['skipped_by_operator', 'done_manually'] as const) expect(afterAppeal({ ...begun, outcome, confirmation: outcome === 'done_manually' ? 'unconfirmed' : null }, true)).toBe('person');
  expect(afterAppeal({ ...begun, outcome: 'skipped_by_operator', confirmation: null, wasBegun: false }, true)).toBe('person');
});

test('what a refusal left out before its first step waits for that step; what cannot be asked stays', () => {
  expect(afterAppeal({ ...begun, outcome: 'skipped_by_operator', confirmation: null, wasBegun: false }, false)).toBe('waits');
  expect(afterAppeal({ ...begun, decision: 'not_applicable', outcome: 'unsupported', confirmation: null, wasBegun: false }, false)).toBe('stays');
});
