import { expect, test } from 'vitest';
import { rightSchema } from '../../../contract/outcomes.ts';
import { stops } from './stops.ts';

const of = (purpose: string, legalBasis?: string) => ({ purpose, legalBasis });

test('a restriction leaves keeping the data, and what courts and others need', () => {
  expect(stops('restriction', of('analytics', 'contract'))).toBe(true);
  expect(stops('restriction', of('direct_marketing', 'consent'))).toBe(true);
  for (const purpose of ['storage', 'legal_claims', 'protection_of_others', 'public_interest']) expect(stops('restriction', of(purpose))).toBe(false);
});

test('an objection stops marketing on any basis, and the rest on the bases that one can object to, or where none is told', () => {
  expect(stops('objection', of('direct_marketing', 'consent'))).toBe(true);
  expect(stops('objection', of('analytics', 'legitimate_interests'))).toBe(true);
  expect(stops('objection', of('analytics'))).toBe(true);
  expect(stops('objection', of('billing', 'contract'))).toBe(false);
  expect(stops('objection', of('storage'))).toBe(false);
});

test('California’s opt-outs and the objection to automated decisions stop what they are about', () => {
  expect(stops('opt_out_sale', of('sale'))).toBe(true);
  expect(stops('opt_out_sale', of('billing'))).toBe(false);
  expect(stops('limit_sensitive', of('sensitive_data'))).toBe(true);
  expect(stops('limit_sensitive', of('analytics'))).toBe(false);
  expect(stops('automated_decision', of('automated_decision', 'contract'))).toBe(true);
  expect(stops('automated_decision', of('support'))).toBe(false);
});

test('a right that restricts nothing stops nothing', () => {
  for (const right of rightSchema.options.filter((each) => ['erasure', 'access', 'portability', 'rectification'].includes(each))) expect(stops(right, of('sale'))).toBe(false);
});
