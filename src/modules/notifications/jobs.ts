import type { JobKind } from '../../platform/jobs/jobs.ts';

/** Sends one notification. Carries `notification_id`. Expires after the mailer's own time-outs. */
export const notificationSend: JobKind = { name: 'notification-send', concurrency: 4, expireSeconds: 180 };
/** Looks for notifications that are due and whose job was lost with its process. Every minute. */
export const notificationSweep: JobKind = { name: 'notification-sweep', concurrency: 1 };
