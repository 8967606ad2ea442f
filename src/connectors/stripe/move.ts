import type { ErrorCode } from '../../contract/errors.ts';
import type { Residue } from '../../contract/outcomes.ts';
import type { EraseContext, WaitReason } from '../../connector-kit/index.ts';
import type { StripeConfig } from './config.ts';
import type { StripeGateway } from './gateway.ts';
import type { Progress } from './progress.ts';

/** What a stage works with. */
export interface StageContext {
  readonly stripe: StripeGateway;
  readonly task: EraseContext;
  readonly config: StripeConfig;
  readonly livemode: boolean | undefined;
}

/** What one stage of one customer came to. */
export type Move =
  | { readonly kind: 'next'; readonly progress: Progress }
  | { readonly kind: 'wait'; readonly progress: Progress; readonly afterMs: number; readonly reason: WaitReason; readonly vendorJob?: string }
  | { readonly kind: 'operator'; readonly progress: Progress; readonly code: ErrorCode; readonly detail: string; readonly residue?: readonly Residue[] };

/** How often a read-back may miss what was answered before a person is asked: 1, 2 and 4 s are more than Stripe's own reads need. */
const looksMax = 3;

/** Goes on to a stage. */
export function goTo(progress: Progress, stage: Progress['stage']): Move {
  return { kind: 'next', progress: { ...progress, stage, looks: 0 } };
}

/** Looks again a little later; after three times a person has to, and what they send on starts a new round at `resume`. */
export function lookAgain(progress: Progress, detail: string, resume: Progress['stage']): Move {
  if (progress.looks < looksMax) {
    return { kind: 'wait', progress: { ...progress, looks: progress.looks + 1 }, afterMs: 1000 * 2 ** progress.looks, reason: 'not_visible_yet' };
  }
  return { kind: 'operator', progress: { ...progress, stage: resume, looks: 0, round: progress.round + 1 }, code: 'STILL_PRESENT', detail };
}

/** The customer was read before and is now unknown to this key: nothing can be claimed. */
export function vanished(progress: Progress): Move {
  return { kind: 'operator', progress, code: 'NOTHING_MATCHED', detail: 'Stripe no longer knows a customer that it showed before, and does not call it deleted' };
}
