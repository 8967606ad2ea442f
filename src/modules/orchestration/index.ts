export { createAdvanceRequest, type AdvanceRequest } from './advance-request.ts';
export { createRunTask, type RunTask } from './run-task.ts';
export { registerOrchestrationRoutes } from './routes.ts';
export { sweepDue, type Swept } from './sweep.ts';
export { sweep, taskRun } from './jobs.ts';
export { freeLeases } from './task-store.ts';
export { boundaryNames, type BoundaryName, type Certificates, type OrchestrationDeps, type OrchestrationPolicy } from './deps.ts';
export { taskLife } from './domain/erasure-outcome.ts';
export type { OrchestrationTables } from './tables.ts';
