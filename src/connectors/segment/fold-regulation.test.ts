import { describe, expect, it } from 'vitest';
import { segmentConfigSchema } from './config.ts';
import { foldRegulation } from './fold-regulation.ts';
import type { RegulationStatus } from './public-api.ts';

const config = (regulation: string) =>
  segmentConfigSchema.parse({ profile_api: { space_id: 'spa_1', token: 't' }, public_api: { token: 't' }, regulation });
const withSuppression = config('SUPPRESS_WITH_DELETE');

const fold = (overallStatus: RegulationStatus, destinations: readonly RegulationStatus[], of = withSuppression) =>
  foldRegulation(of, {
    overallStatus,
    createdAt: '2026-01-01T00:00:00.000Z',
    streamStatus: destinations.map((status) => ({ destinationStatus: [{ status }] })),
  });

const standing = [
  { what: 'suppression_list_entry', why: 'prevents_new_collection' },
  { what: 'regulation_record', why: 'vendor_retention', until: '2026-04-01T00:00:00.000Z' },
];

describe('folding a regulation', () => {
  it('runs while the whole or any destination runs, whatever the others came to', () => {
    for (const status of ['INITIALIZED', 'RUNNING'] as const) {
      expect(fold(status, [])).toEqual({ state: 'running' });
      expect(fold('FINISHED', ['FINISHED', status])).toEqual({ state: 'running' });
      expect(fold('FAILED', ['NOT_SUPPORTED', status])).toEqual({ state: 'running' });
    }
  });

  it('is finished without destination residue when everything finished', () => {
    expect(fold('FINISHED', ['FINISHED', 'FINISHED'])).toEqual({
      state: 'finished',
      counts: { regulations: 1, destinations_finished: 2, destinations_unsupported: 0, destinations_failed: 0 },
      residue: standing,
    });
  });

  it.each(['FAILED', 'PARTIAL_SUCCESS', 'NOT_SUPPORTED', 'FINISHED'] as const)(
    'is finished with the unsupported destinations as residue when they alone account for an overall %s',
    (overall) => {
      expect(fold(overall, ['FINISHED', 'NOT_SUPPORTED', 'NOT_SUPPORTED'])).toEqual({
        state: 'finished',
        counts: { regulations: 1, destinations_finished: 1, destinations_unsupported: 2, destinations_failed: 0 },
        residue: [{ what: 'destination_not_supported', why: 'unsupported', count: 2 }, ...standing],
      });
    },
  );

  it.each(['FAILED', 'INVALID', 'PARTIAL_SUCCESS'] as const)('is failed when a destination is %s, even where the overall says finished', (status) => {
    for (const overall of ['FINISHED', 'FAILED', 'PARTIAL_SUCCESS'] as const) {
      expect(fold(overall, ['FINISHED', status, 'NOT_SUPPORTED'])).toMatchObject({
        state: 'failed',
        code: 'VENDOR_JOB_FAILED',
        counts: { destinations_finished: 1, destinations_unsupported: 1, destinations_failed: 1 },
        residue: [{ what: 'destination_not_supported', count: 1 }, { what: 'destination_failed', count: 1 }, ...standing],
      });
    }
  });

  it.each([
    ['FAILED', 'VENDOR_JOB_FAILED'],
    ['PARTIAL_SUCCESS', 'VENDOR_JOB_FAILED'],
    ['INVALID', 'VENDOR_JOB_FAILED'],
    ['NOT_SUPPORTED', 'UNSUPPORTED'],
  ] as const)('is failed when the overall is %s and no destination accounts for it', (overall, code) => {
    expect(fold(overall, ['FINISHED'])).toMatchObject({ state: 'failed', code });
    expect(fold(overall, [])).toMatchObject({ state: 'failed', code });
  });

  it('does not wait for an invalid regulation, which never runs', () => {
    expect(fold('INVALID', ['INITIALIZED'])).toMatchObject({ state: 'failed' });
  });

  it('names destinations that the configured regulation leaves alone', () => {
    expect(fold('FINISHED', [], config('DELETE_INTERNAL'))).toMatchObject({
      residue: [{ what: 'destination_copies', why: 'not_requested' }, { what: 'regulation_record' }],
    });
  });
});
