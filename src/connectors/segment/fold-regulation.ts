import type { ErrorCode } from '../../contract/errors.ts';
import type { Counts, Residue } from '../../contract/outcomes.ts';
import type { SegmentConfig } from './config.ts';
import type { Regulation, RegulationStatus } from './public-api.ts';

/** What a regulation's states come to. */
export type RegulationVerdict =
  | { readonly state: 'running' }
  | { readonly state: 'finished'; readonly counts: Counts; readonly residue: readonly Residue[] }
  | { readonly state: 'failed'; readonly code: ErrorCode; readonly detail: string; readonly counts: Counts; readonly residue: readonly Residue[] };

/** Records of regulations, user ids included, are kept this long (Segment, Public API, List Regulations). */
const recordKeptMs = 90 * 86_400_000;

const isRunning = (status: RegulationStatus): boolean => status === 'INITIALIZED' || status === 'RUNNING';

/**
 * Folds the overall state and every destination's into one verdict, never a better one than any of them.
 * The overall FAILED is not believed by itself, since Segment sets it when one destination is unsupported although everything else finished
 * (Segment, User Deletion and Suppression): then the verdict is finished, and the unsupported destinations are named as residue with their number.
 * A destination that failed or finished in part makes it failed. While any of them still runs, so does the whole.
 */
export function foldRegulation(config: SegmentConfig, regulation: Regulation): RegulationVerdict {
  const statuses = regulation.streamStatus.flatMap((stream) => stream.destinationStatus.map(({ status }) => status));
  const overall = regulation.overallStatus;
  // An invalid regulation is never run, so nothing of it can be waited for.
  if (overall !== 'INVALID' && (isRunning(overall) || statuses.some(isRunning))) return { state: 'running' };
  const count = (...wanted: RegulationStatus[]): number => statuses.filter((status) => wanted.includes(status)).length;
  const unsupported = count('NOT_SUPPORTED');
  const failed = count('FAILED', 'INVALID', 'PARTIAL_SUCCESS');
  const counts: Counts = {
    regulations: 1,
    destinations_finished: count('FINISHED'),
    destinations_unsupported: unsupported,
    destinations_failed: failed,
  };
  const residue: Residue[] = [
    ...(unsupported === 0 ? [] : [{ what: 'destination_not_supported', why: 'unsupported', count: unsupported }]),
    ...(failed === 0 ? [] : [{ what: 'destination_failed', why: 'vendor_failure', count: failed }]),
    ...standingResidue(config, Date.parse(regulation.createdAt)),
  ];
  const fail = (code: ErrorCode, detail: string): RegulationVerdict => ({ state: 'failed', code, detail, counts, residue });
  if (overall === 'INVALID') return fail('VENDOR_JOB_FAILED', 'Segment found the regulation invalid and did not run it');
  if (failed > 0) {
    return fail('VENDOR_JOB_FAILED', `The deletion failed in ${failed} of ${statuses.length} destinations; ${unsupported} do not support deletion`);
  }
  if (overall !== 'FINISHED' && unsupported === 0) {
    return overall === 'NOT_SUPPORTED'
      ? fail('UNSUPPORTED', 'Segment does not support this regulation')
      : fail('VENDOR_JOB_FAILED', `Segment ended the regulation as ${overall}, and no destination accounts for it`);
  }
  return { state: 'finished', counts, residue };
}

/** What every regulation leaves by its nature: its own record, the suppression entry, and the destinations that it was not meant for. */
export function standingResidue(config: SegmentConfig, createdAt: number): Residue[] {
  return [
    ...(config.regulation.endsWith('_INTERNAL') ? [{ what: 'destination_copies', why: 'not_requested' }] : []),
    ...(config.regulation.startsWith('SUPPRESS') ? [{ what: 'suppression_list_entry', why: 'prevents_new_collection' }] : []),
    { what: 'regulation_record', why: 'vendor_retention', until: new Date(createdAt + recordKeptMs).toISOString() },
  ];
}
