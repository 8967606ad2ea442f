import type { JobKind } from '../../platform/jobs/jobs.ts';

/** Looks at a request and does what its state asks for next. Carries `request_id`. */
export const requestAdvance: JobKind = { name: 'request-advance', concurrency: 8, expireSeconds: 120 };
/** Tells the data protection officer of the legal dates that are near or have passed. Every minute. */
export const clockReminders: JobKind = { name: 'clock-reminders', concurrency: 1 };
