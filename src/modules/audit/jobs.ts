import type { JobKind } from '../../platform/jobs/jobs.ts';

/** Verifies the whole log; one at a time, and long enough for a hundred million rows. To be scheduled weekly. */
export const auditVerify: JobKind = { name: 'audit.verify', concurrency: 1, expireSeconds: 3600 };
