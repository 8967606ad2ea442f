/** What a kept statement fails with when a table was changed under it (0A000), or when somebody else, a pooler perhaps, has dropped it (26000). */
const outdatedCodes: ReadonlySet<unknown> = new Set(['0A000', '26000']);

/** Whether a statement failed only because what the server had kept of it is not so any more: prepared anew, it would do. */
export const isOutdated = (error: unknown): boolean => outdatedCodes.has((error as { code?: unknown }).code);
