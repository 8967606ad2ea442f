/** How a person ends a manual task: the system is tried again, was done by hand, or is left out on purpose. */
export const settlements = ['retry', 'done_manually', 'skipped_by_operator'] as const;
/** One of `settlements`. */
export type Settlement = (typeof settlements)[number];

/** What a clock may be stopped for; the codes that the API takes. */
export const pauseConditions = ['identity_verification_required', 'information_required'] as const;
/** One of `pauseConditions`. */
export type PauseCondition = (typeof pauseConditions)[number];

/** How an appeal ends. */
export const appealDecisions = ['granted', 'denied'] as const;
/** One of `appealDecisions`. */
export type AppealDecision = (typeof appealDecisions)[number];
