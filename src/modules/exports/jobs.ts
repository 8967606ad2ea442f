import type { JobKind } from '../../platform/jobs/jobs.ts';

/** Makes one package. Two at once, since each may hold a page of 8 MiB several times over; long enough for some hundred million records. */
export const exportMake: JobKind = { name: 'export-make', concurrency: 2, expireSeconds: 6 * 3600 };
/** Looks for packages that nobody makes, ends those whose time is over, and deletes what is to be deleted. To be scheduled each minute. */
export const exportSweep: JobKind = { name: 'export-sweep', concurrency: 1, expireSeconds: 900 };
