import { describe, expect, test } from 'vitest';
import { requestVerdict, type SettledTask } from './request-verdict.ts';

const task = (outcome: SettledTask['outcome'], change: Partial<SettledTask> = {}): SettledTask => ({ outcome, confirmation: 'verified_absent', residue: [], ...change });
const kept = { what: 'charges', why: 'legal_obligation', legal_basis: 'GDPR Art. 17(3)(b)' };

describe('the verdict of a request', () => {
  test('is fulfilled when everything that was held was erased and read back', () => {
    expect(requestVerdict([task('erased'), task('nothing_matched', { confirmation: null })])).toBe('fulfilled');
  });
  test('says nothing_held when nothing was erased anywhere', () => {
    expect(requestVerdict([task('nothing_matched'), task('already_absent')])).toBe('nothing_held');
  });
  test('says so when something stays', () => {
    expect(requestVerdict([task('erased', { residue: [kept] })])).toBe('fulfilled_with_retention');
  });
  test.each(['failed', 'unsupported', 'not_asked', 'skipped_by_operator'] as const)('is partial when one task is %s, however well the others went', (outcome) => {
    expect(requestVerdict([task('erased'), task(outcome)])).toBe('partially_fulfilled');
  });
  test('is partial when something is kept and nothing says why and until when', () => {
    expect(requestVerdict([task('retained', { confirmation: null })])).toBe('partially_fulfilled');
    expect(requestVerdict([task('retained', { confirmation: null, residue: [kept] })])).toBe('fulfilled_with_retention');
  });
  test('is never that nothing is held when nobody was asked', () => {
    expect(requestVerdict([])).toBe('partially_fulfilled');
  });
  test('is partial when one erasure could not be confirmed', () => {
    expect(requestVerdict([task('erased'), task('done_manually', { confirmation: 'unconfirmed' })])).toBe('partially_fulfilled');
  });
});
