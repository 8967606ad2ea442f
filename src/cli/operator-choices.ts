/** How a person ends a manual task: the system is tried again, was done by hand, or is left out on purpose. */
export const settlements = ['retry', 'done_manually', 'skipped_by_operator'] as const;
/** One of `settlements`. */
export type Settlement = (typeof settlements)[number];

/** Why a request is refused; the codes that the API takes. */
export const rejectionReasons = ['identity_not_proven', 'manifestly_unfounded', 'excessive', 'legal_obligation', 'not_controller'] as const;
/** One of `rejectionReasons`. */
export type RejectionReason = (typeof rejectionReasons)[number];
