import { setTimeout as pause } from 'node:timers/promises';
import { fromKysely, PgBoss, type Job } from 'pg-boss';
import type { Database, Tx } from '../db/database.ts';
import { tablesOf } from '../db/database.ts';
import { describeError, type Log } from '../log.ts';
import { createWorkerPool, type WorkerPool } from './wake-one.ts';

/** What a job carries: ids only. A privacy tool must not scatter people over a queue's payloads. */
export type JobData = { readonly [id: string]: string };

/** One kind of job: its queue's name and how many of it one process works at a time. */
export interface JobKind {
  readonly name: string;
  readonly concurrency: number;
  /** Seconds after which a job whose worker hangs or died is given to another; default 60. */
  readonly expireSeconds?: number;
}

/** The durable queue. */
export interface Jobs {
  /**
   * Enqueues inside a transaction: the job exists if and only if the transaction commits. Handlers are idempotent, so two jobs for one
   * thing are a cheap look too many and never an effect too many.
   */
  readonly send: (tx: Tx, kind: JobKind, data: JobData, options?: { readonly delayMs?: number }) => Promise<void>;
  /** Works jobs of one kind. A handler that throws gives the job back, with backoff. */
  readonly work: (kind: JobKind, handler: (data: JobData, signal: AbortSignal) => Promise<void>) => Promise<void>;
  /** Runs a job by a cron expression (UTC), on one of the processes. A run missed while all were down is made up for once. */
  readonly schedule: (kind: JobKind, cron: string) => Promise<void>;
  /** Enqueues outside of any transaction, for jobs that only look at what is there. */
  readonly poke: (kind: JobKind, data: JobData) => Promise<void>;
  /** Stops taking jobs, and waits for the ones being worked, at most `graceMs`. */
  readonly stop: (graceMs: number) => Promise<void>;
}

/** Seconds without a sign of life after which a job's worker counts as dead. pg-boss takes no less than 10. */
const heartbeatSeconds = 15;
/** Between looks of each queue for jobs whose time has come; NOTIFY brings the immediate ones at once. */
const pollMs = 500;
/** How long a worker sleeps when nobody wakes it: the looks of its queue do, and this only stands behind them. */
const sleepSeconds = 60;
/** Jobs that one worker takes at once; two, since pg-boss looks on at once only after a full batch of more than one. */
const batchSize = 2;

/** The id of no job. */
const noJob = '00000000-0000-0000-0000-000000000000';

/** "QUIT" as a number, and two more: the advisory lock under which one process at a time makes the queue's tables. */
const startLockKey = 0x51554956n;
/** Between looks at whether another process is done with that. */
const startLookMs = 50;

/**
 * Runs `work` on one process at a time. pg-boss has a lock of its own, but with several processes on an empty database one of them still
 * fails now and then, since what another has just made is not yet in what it sees.
 */
async function onlyHere(database: Database, work: () => Promise<void>): Promise<void> {
  for (;;) {
    const lock = await database.tryLock(startLockKey);
    if (lock === undefined) {
      await pause(startLookMs);
      continue;
    }
    try {
      await work();
      return;
    } finally {
      await lock.release();
    }
  }
}

async function makeQueues(boss: PgBoss, kinds: readonly JobKind[]): Promise<void> {
  for (const kind of kinds) {
    const queue = {
      notify: true,
      retryLimit: 1_000,
      retryDelay: 1,
      retryBackoff: true,
      retryDelayMax: 300,
      expireInSeconds: kind.expireSeconds ?? 60,
      // A worker that died stops beating; its jobs go to another one soon after, long before they expire.
      heartbeatSeconds,
      deleteAfterSeconds: 60,
      retentionSeconds: 400 * 86_400,
    };
    await boss.createQueue(kind.name, queue);
    await boss.updateQueue(kind.name, queue);
    // pg-boss reads what it needs of a queue at the first use: here, since the first use is often inside a transaction, which it would leave.
    await boss.findJobs(kind.name, { id: noJob });
  }
}

/** Starts the queue on a database. `kinds` are all that exist; `schedules` says whether this process runs the cron. */
export async function startJobs(
  database: Database,
  kinds: readonly JobKind[],
  log: Log,
  options: { readonly schedules: boolean; readonly supervises: boolean },
): Promise<Jobs> {
  const pools = new Map<string, WorkerPool>();
  const boss = new PgBoss({
    db: {
      ...database.jobs,
      // pg-boss would have every worker of a queue look for each job that comes.
      listen: async (channel, onNotification, onReconnect) => {
        if (database.jobs.listen === undefined) throw new Error('This database cannot tell of new jobs');
        const wake = (queue: string): void => {
          const pool = pools.get(queue);
          if (pool === undefined) onNotification(queue);
          else pool.wake();
        };
        return database.jobs.listen(channel, wake, onReconnect);
      },
    },
    backend: database.kind === 'embedded' ? 'pglite' : 'postgres',
    schema: 'jobs',
    useListenNotify: true,
    schedule: options.schedules,
    supervise: options.supervises,
    superviseIntervalSeconds: 10,
    maintenanceIntervalSeconds: 60,
    monitorIntervalSeconds: 10,
    reindex: false,
    monitorVacuum: false,
  });
  boss.on('error', (error) => {
    log.error({ err: error }, 'job queue error');
  });
  await onlyHere(database, async () => {
    await boss.start();
    await makeQueues(boss, kinds);
  });
  const polling = setInterval(() => {
    for (const pool of pools.values()) pool.wake();
  }, pollMs);
  return {
    send: async (tx, kind, data, sendOptions) => {
      const delayMs = sendOptions?.delayMs ?? 0;
      await boss.send(kind.name, data, {
        db: fromKysely(tablesOf<unknown>(tx)),
        ...(delayMs > 0 ? { startAfter: new Date(Date.now() + delayMs) } : {}),
      });
    },
    poke: async (kind, data) => {
      await boss.send(kind.name, data);
    },
    work: async (kind, handler) => {
      const workers: string[] = [];
      const pool = createWorkerPool(workers, (worker) => boss.notifyWorker(worker));
      const run = async (job: Job<JobData>) => {
        try {
          await handler(job.data, job.signal);
          return { id: job.id, status: 'completed' as const };
        } catch (error) {
          log.error({ job: kind.name, ...job.data, err: error }, 'job failed');
          return { id: job.id, status: 'failed' as const, output: describeError(error) };
        }
      };
      const taking = { batchSize, burstWhenBatchFull: true, perJobResults: true, pollingIntervalSeconds: sleepSeconds, notifyPollingIntervalSeconds: sleepSeconds } as const;
      for (let index = 0; index < kind.concurrency; index += 1) {
        const worker = await boss.work<JobData>(kind.name, taking, async (batch: Job<JobData>[]) => {
          const own = workers[index] ?? '';
          pool.begin(own, batch.length === batchSize);
          try {
            return await Promise.all(batch.map(run));
          } finally {
            pool.end(own);
          }
        });
        workers.push(worker);
      }
      pools.set(kind.name, pool);
    },
    schedule: async (kind, cron) => {
      await boss.schedule(kind.name, cron, null, { missed: 'once' });
    },
    stop: async (graceMs) => {
      // pg-boss closes its listening connection first, and takes jobs until that is done.
      clearInterval(polling);
      await Promise.all([...pools.keys()].map(async (name) => boss.offWork(name, { wait: false })));
      await boss.stop({ graceful: true, timeout: graceMs });
    },
  };
}
