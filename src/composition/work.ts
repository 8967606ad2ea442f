import { auditVerify } from '../modules/audit/index.ts';
import { checkAtStart, type Connections } from '../modules/connections/index.ts';
import { eventsDispatch, eventsPrune, eventsReplay, eventsSweep, type Events } from '../modules/events/index.ts';
import { exportMake, exportSweep, type Exports } from '../modules/exports/index.ts';
import { createVaultWipe, vaultWipe, type MasterKeyRotation, type ProofVerification } from '../modules/identity/index.ts';
import { createProofSweep, createReplaySweep, proofAsk, proofSweep, replaySweep } from '../modules/intake/index.ts';
import { notificationSend, notificationSweep, type NotificationSender } from '../modules/notifications/index.ts';
import { lookAtJob, reconcileVendorJobs, resumeAfterKey, sweep, sweepDue, taskRun, vendorJobLook, vendorJobsReconcile, type OrchestrationDeps } from '../modules/orchestration/index.ts';
import { clockReminders, requestAdvance } from '../modules/requests/index.ts';
import type { Inbound } from './make-inbound.ts';
import type { RequestId, TaskId } from '../contract/ids.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/db/database.ts';
import type { JobKind, Jobs } from '../platform/jobs/jobs.ts';
import type { Log } from '../platform/log.ts';

/** Every kind of job, but for the one that is made for a master key. */
export const jobKinds: readonly JobKind[] = [
  requestAdvance, taskRun, sweep, vendorJobLook, vendorJobsReconcile, notificationSend, notificationSweep, proofAsk, proofSweep, replaySweep, vaultWipe, auditVerify, exportMake, exportSweep, clockReminders,
  eventsDispatch, eventsReplay, eventsSweep, eventsPrune,
];

/** What the work of a worker is done with. */
export interface Work {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly log: Log;
  readonly clock: Clock;
  readonly orchestration: OrchestrationDeps;
  readonly connections: Connections;
  readonly sender: NotificationSender;
  readonly proofs: ProofVerification;
  readonly askAboutProof: (requestId: RequestId) => Promise<void>;
  readonly rotation: MasterKeyRotation;
  readonly rewrapHere: JobKind;
  readonly exports: Exports;
  readonly events: Events;
  readonly inbound: Inbound;
  readonly clockReminders: () => Promise<number>;
  readonly advance: (requestId: RequestId) => Promise<void>;
  readonly runTask: (taskId: TaskId) => Promise<void>;
}

/** Takes up every kind of job, and what a process that died left behind. */
export async function startWork(work: Work): Promise<void> {
  const { database, jobs, log, clock, orchestration, sender, proofs, exports, events } = work;
  await jobs.work(requestAdvance, (data) => work.advance(data['request_id'] as RequestId));
  await jobs.work(taskRun, (data) => work.runTask(data['task_id'] as TaskId));
  await jobs.work(notificationSend, (data) => sender.send(data['notification_id'] ?? ''));
  await jobs.work(notificationSweep, sender.sweep);
  await jobs.work(proofAsk, (data) => work.askAboutProof(data['request_id'] as RequestId));
  await jobs.work(proofSweep, createProofSweep({ proofs, jobs }));
  await jobs.work(replaySweep, createReplaySweep({ database, clock, forgetMore: work.inbound.forget }));
  await jobs.work(vaultWipe, createVaultWipe({ database, log }));
  await jobs.work(work.rewrapHere, async (_data, signal) => void (await work.rotation.rewrap(signal)));
  await jobs.work(vendorJobLook, async (data) => void (await lookAtJob(orchestration, data['task_id'] as TaskId)));
  await jobs.work(vendorJobsReconcile, async () => void (await reconcileVendorJobs(orchestration)));
  await jobs.work(sweep, async () => void (await sweepDue(orchestration)));
  await jobs.work(exportMake, (data, signal) => exports.runMaking(data['request_id'] as RequestId, signal));
  await jobs.work(exportSweep, exports.sweep);
  await jobs.work(clockReminders, async () => void (await work.clockReminders()));
  await jobs.work(eventsDispatch, (data, signal) => events.dispatch(data['destination'] ?? '', signal));
  await jobs.work(eventsReplay, (data, signal) => events.runReplay(data['replay_id'] ?? '', signal));
  await jobs.work(eventsSweep, async () => void (await events.sweep()));
  await jobs.work(eventsPrune, async (_data, signal) => void (await events.prune(signal)));
  if (database.kind === 'embedded') {
    await events.recover();
    await sender.recover();
    await proofs.recover();
    await exports.recover();
    await createProofSweep({ proofs, jobs })();
  }
  await sweepDue(orchestration, { lateMs: 0 });
  await events.sweep();
  await resumeAfterKey(orchestration);
  void checkAtStart(work.connections, log);
}

/** Has what must happen by itself happen: each once for all processes. */
export async function scheduleWork(jobs: Pick<Jobs, 'schedule'>): Promise<void> {
  for (const kind of [sweep, notificationSweep, proofSweep, exportSweep, clockReminders, eventsSweep]) await jobs.schedule(kind, '* * * * *');
  await jobs.schedule(vendorJobsReconcile, '*/15 * * * *');
  await jobs.schedule(replaySweep, '17 3 * * *');
  await jobs.schedule(eventsPrune, '37 3 * * *');
  await jobs.schedule(vaultWipe, '47 3 * * *');
  await jobs.schedule(auditVerify, '17 3 * * 0');
}
