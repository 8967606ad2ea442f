import type { JobKind } from '../../platform/jobs/jobs.ts';

/** Runs the next step of a task. Carries `task_id`. */
export const taskRun: JobKind = { name: 'task-run', concurrency: 16, expireSeconds: 120 };
/** Looks for everything whose time has come and that nobody looked at. Carries nothing. */
export const sweep: JobKind = { name: 'sweep', concurrency: 1 };
