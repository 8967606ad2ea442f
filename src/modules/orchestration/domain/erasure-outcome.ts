import type { ConfirmResult, EraseResult, RectifyConfirmation } from '../../../connector-kit/index.ts';
import type { ErrorCode, Retry } from '../../../contract/errors.ts';
import type { Identifier } from '../../../contract/identifiers.ts';
import type { Confirmation, Outcome } from '../../../contract/outcomes.ts';

/**
 * What becomes of a task after something was observed. This file alone decides when an erasure counts as done. So it does for corrections.
 *
 * An erasure is done when its task is settled as `erased`, `anonymised` or `already_absent`. That takes two observations: the system said so,
 * and a read-back then saw nothing (`verified_absent`), or the system cannot be read back (`attested_by_vendor`). Any other outcome claims no erasure.
 *
 * Settled elsewhere, and never as done: what cannot be asked (`plan-request.ts`), what is left out (`close-request.ts`), and what a person decides
 * (`settle-manual-task.ts`; what was done by hand stays `unconfirmed`). Callers may be stricter, and hand to a person what has no time left; never kinder.
 *
 * `running` and `confirming`: that step again, or next, after `wakeInMs`. `countsConfirm`: a read-back found the person, which is counted.
 * `settled`: over. `revisitAt`: what stayed can be erased then. `manual`: a person decides, by the code; the caller takes back the outcome.
 */
export type Verdict =
  | { readonly to: 'running' | 'confirming'; readonly wakeInMs: number; readonly outcome?: Outcome; readonly countsConfirm?: true }
  | { readonly to: 'settled'; readonly outcome: Outcome; readonly confirmation: Confirmation | null; readonly revisitAt?: number }
  | { readonly to: 'manual'; readonly code: ErrorCode; readonly confirmation?: Confirmation };

/**
 * After a step of what a task is for. Done is not settled: what was erased, corrected or seen gone is read back first. `seenHere`: resolution saw this identifier
 * in this very system; `isLastHope`: the system cannot be searched, and nothing that it was given matched. What is reported is believed until the read-back; that it is well-formed is the matter of `check-result.ts`.
 */
export function afterAct(result: EraseResult, facts: { readonly seenHere: boolean; readonly isLastHope: boolean }): Verdict {
  switch (result.state) {
    case 'continue':
      return { to: 'running', wakeInMs: 0 };
    case 'wait':
      return { to: 'running', wakeInMs: Math.max(0, result.afterMs) };
    case 'operator':
      return { to: 'manual', code: result.code };
    case 'done':
      switch (result.outcome) {
        case 'nothing_matched':
          // Resolution saw this identifier in this system: that it is not found now is an error somewhere, not an erasure.
          return facts.seenHere || facts.isLastHope ? { to: 'manual', code: 'NOTHING_MATCHED' } : { to: 'settled', outcome: 'nothing_matched', confirmation: null };
        case 'retained':
          // Claims no erasure, so there is nothing to read back; `request-verdict.ts` asks for its reason.
          return { to: 'settled', outcome: 'retained', confirmation: null, ...revisit(result) };
        case 'refreshed':
          // Claims no erasure either: what it made anew is not of one person.
          return { to: 'settled', outcome: 'refreshed', confirmation: null };
        case 'exported':
          // What the system gave is kept; whether it gave all that it holds, nobody but the system can say.
          return { to: 'settled', outcome: 'exported', confirmation: null };
        case 'erased':
        case 'anonymised':
        case 'corrected':
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
  /**
   * Says of a found identifier whether another task of this system is about it and is not settled, be it with a person; then it is that task's
   * matter and not this one's. The last task of a system has no other to point at.
   */
  readonly isOthers: (identifier: Identifier) => boolean;
  /** How often it was read back and found before, since it was last erased. */
  readonly confirmCount: number;
  readonly confirmAttemptsMax: number;
  readonly revisitAt: number | undefined;
}

/**
 * After a read-back. Settled, and with that done, only where nothing is found that is this task's matter, or where the system cannot be read back.
 * A system that shows the person again and again, whatever it said, is a matter for a person.
 */
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
      return stillThere(facts);
    }
  }
}

/** After the read-back of a correction. Settled as done only where everything is as the person asked, or where the system cannot be read back. */
export function afterRectifyConfirm(result: RectifyConfirmation, facts: Pick<ConfirmFacts, 'outcome' | 'confirmCount' | 'confirmAttemptsMax'>): Verdict {
  switch (result.state) {
    case 'as_asked':
      return { to: 'settled', outcome: facts.outcome, confirmation: 'verified_as_asked' };
    case 'attested':
      return { to: 'settled', outcome: facts.outcome, confirmation: 'attested_by_vendor' };
    case 'later':
      return { to: 'confirming', wakeInMs: Math.max(0, result.afterMs) };
    case 'otherwise':
      return stillThere(facts);
  }
}

/** A system that says done and does not show it: it is looked at again, more and more seldom, and then by a person. */
function stillThere(facts: Pick<ConfirmFacts, 'confirmCount' | 'confirmAttemptsMax'>): Verdict {
  if (facts.confirmCount + 1 >= facts.confirmAttemptsMax) return { to: 'manual', code: 'STILL_PRESENT', confirmation: 'unconfirmed' };
  return { to: 'confirming', wakeInMs: Math.min(presentWaitMaxMs, presentWaitMs * 2 ** facts.confirmCount), countsConfirm: true };
}

/** Bugs of our own are tried this often before a person is asked. */
const internalAttemptsMax = 6;

/** After a call that failed: it is tried again or goes to a person, and never settles anything. `waitMs` is the backoff that the caller drew. */
export function afterFailure(
  failure: { readonly code: ErrorCode; readonly retry: Retry },
  facts: { readonly status: 'running' | 'confirming'; readonly attempt: number; readonly windowPassed: boolean; readonly waitMs: number },
): Verdict {
  if (failure.retry !== 'later') return { to: 'manual', code: failure.code };
  if (failure.code === 'INTERNAL' && facts.attempt >= internalAttemptsMax) return { to: 'manual', code: 'INTERNAL' };
  if (facts.windowPassed) return { to: 'manual', code: 'TASK_WINDOW_PASSED' };
  return { to: facts.status, wakeInMs: facts.waitMs };
}

function revisit(result: { readonly revisitAt?: number }): { readonly revisitAt?: number } {
  return result.revisitAt === undefined ? {} : { revisitAt: result.revisitAt };
}
