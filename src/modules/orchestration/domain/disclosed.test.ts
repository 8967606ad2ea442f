import { expect, test } from 'vitest';
import type { Outcome } from '../../../contract/outcomes.ts';
import { changedSystems, restrictedSystems, type ToldTask } from './disclosed.ts';

const task = (connection: string, outcome: Outcome | null, change: Partial<ToldTask> = {}): ToldTask => ({ connection, action: 'erase', outcome, seen_here: false, ...change });

test('an erasure or a correction is told of where data changed, and nowhere that knew nobody, kept it, or failed', () => {
  for (const outcome of ['erased', 'anonymised', 'corrected', 'done_manually'] as const) expect(changedSystems([task('shop', outcome), task('shop', outcome)])).toEqual(['shop']);
  for (const outcome of ['nothing_matched', 'retained', 'unsupported', 'skipped_by_operator', 'located', 'refreshed', 'failed', null] as const) expect(changedSystems([task('shop', outcome, { seen_here: true })])).toEqual([]);
});

test('what had gone already is told of where resolution saw it, and not where nobody ever was', () => {
  expect(changedSystems([task('shop', 'already_absent', { seen_here: true }), task('crm', 'already_absent')])).toEqual(['shop']);
});

test('a restriction is told of where the person is seen; where nobody can look, or nobody looked, is unknown', () => {
  const connections = [
    { name: 'shop', capabilities: { locates: ['email'] } },
    { name: 'crm', capabilities: { locates: ['email'] } },
    { name: 'events', capabilities: { locates: [] } },
    { name: 'phones', capabilities: { locates: ['phone'] } },
    { name: 'down', capabilities: { locates: ['email'] } },
  ];
  const ada = [{ kind: 'email', seenIn: ['shop'] }];
  const skipped = task('down', 'skipped_by_operator', { action: 'locate' });
  expect(restrictedSystems(connections, ada, [skipped])).toEqual({ seen: ['shop'], unknown: ['events', 'phones', 'down'] });
  expect(restrictedSystems(connections, ada, [{ ...skipped, outcome: 'located' }])).toEqual({ seen: ['shop'], unknown: ['events', 'phones'] });
});
