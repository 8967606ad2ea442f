import type { ConfirmResult, EraseResult } from '../../../connector-kit/index.ts';
import type { ErrorCode, Retry } from '../../../contract/errors.ts';
import type { Identifier } from '../../../contract/identifiers.ts';
import type { Confirmation, Outcome } from '../../../contract/outcomes.ts';

/** What becomes of a task after something was observed. This file alone decides when an erasure counts as done. */
export type Verdict =
  | { readonly to: 'erasing' | 'confirming'; readonly wakeInMs: number; readonly outcome?: Outcome; readonly countsConfirm?: true }
  | { readonly to: 'settled'; readonly outcome: Outcome; readonly confirmation: Confirmation | null; readonly revisitAt?: number }
  | { readonly to: 'manual'; readonly code: ErrorCode; readonly confirmation?: Confirmation };

/** After a step of the erasure. Done is not settled: what was erased, or seen gone, is read back first. */
export function afterErase(result: EraseResult, facts: { readonly seenHere: boolean }): Verdict {
  switch (result.state) {
    case 'continue':
      return { to: 'erasing', wakeInMs: 0 };
    case 'wait':
      return { to: 'erasing', wakeInMs: Math.max(0, result.afterMs) };
    case 'operator':
      return { to: 'manual', code: result.code };
    case 'done':
      switch (result.outcome) {
        case 'nothing_matched':
          // Resolution saw this identifier in this system: that it is not found now is an error somewhere, not an erasure.
          return facts.seenHere ? { to: 'manual', code: 'NOTHING_MATCHED' } : { to: 'settled', outcome: 'nothing_matched', confirmation: null };
        case 'retained':
          return { to: 'settled', outcome: 'retained', confirmation: null, ...revisit(result) };
        case 'erased':
        case 'anonymised':
        case 'already_absent':
          return { to: 'confirming', wakeInMs: 0, outcome: result.outcome };
      }
  }
}

/** Waits between read-backs of a system that still shows the person: 1 s, 2 s, 4 s and so on, at most an hour. */
const presentWaitMs = 1000;
const presentWaitMaxMs = 3_600_000;

/** What is known of a task when its read-back is judged. */
export interface ConfirmFacts {
  readonly outcome: Outcome;
  readonly identifier: Identifier;
  /** Says of a found identifier whether another task, still under way, is about it; then it is not this task's matter. */
  readonly isOthers: (identifier: Identifier) => boolean;
  /** How often it was read back and found before. */
  readonly confirmCount: number;
  readonly confirmAttemptsMax: number;
  readonly revisitAt: number | undefined;
}

/** After a read-back. A system that shows the person again and again, whatever it said, is a matter for a person. */
export function afterConfirm(result: ConfirmResult, facts: ConfirmFacts): Verdict {
  const settled = (confirmation: Confirmation): Verdict => ({
    to: 'settled',
    outcome: facts.outcome,
    confirmation,
    ...(facts.revisitAt === undefined ? {} : { revisitAt: facts.revisitAt }),
  });
  switch (result.state) {
    case 'absent':
      return settled('verified_absent');
    case 'attested':
      return settled('attested_by_vendor');
    case 'later':
      return { to: 'confirming', wakeInMs: Math.max(0, result.afterMs) };
    case 'present': {
      // Only what has an open task of its own is not this task's matter; anything else that is still there is.
      if (result.found.length > 0 && result.found.every((each) => facts.isOthers(each))) return settled('verified_absent');
      if (facts.confirmCount + 1 >= facts.confirmAttemptsMax) return { to: 'manual', code: 'STILL_PRESENT', confirmation: 'unconfirmed' };
      return { to: 'confirming', wakeInMs: Math.min(presentWaitMaxMs, presentWaitMs * 2 ** facts.confirmCount), countsConfirm: true };
    }
  }
}

/** Bugs of our own are tried this often before a person is asked. */
const internalAttemptsMax = 6;

/** After a call that failed. `waitMs` is the backoff that the caller drew. */
export function afterFailure(
  failure: { readonly code: ErrorCode; readonly retry: Retry },
  facts: { readonly status: 'erasing' | 'confirming'; readonly attempt: number; readonly windowPassed: boolean; readonly waitMs: number },
): Verdict {
  if (failure.retry !== 'later') return { to: 'manual', code: failure.code };
  if (failure.code === 'INTERNAL' && facts.attempt >= internalAttemptsMax) return { to: 'manual', code: 'INTERNAL' };
  if (facts.windowPassed) return { to: 'manual', code: 'TASK_WINDOW_PASSED' };
  return { to: facts.status, wakeInMs: facts.waitMs };
}

function revisit(result: { readonly revisitAt?: number }): { readonly revisitAt?: number } {
  return result.revisitAt === undefined ? {} : { revisitAt: result.revisitAt };
}
