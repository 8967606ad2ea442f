import type { JobData, JobKind, Jobs } from '../../../src/platform/jobs/jobs.ts';
import type { Log } from '../../../src/platform/log.ts';
import type { SimStore } from './sim-database.ts';
import { Died, type SimProcess } from './sim-process.ts';
import { owners, type VirtualTime } from './virtual-time.ts';

/** What can happen to the delivery of a job. */
export type JobFate = 'well' | 'late' | 'twice' | 'lost';

/** A queue that keeps pg-boss's promises and no more: at least once, some time after its time, to any worker. */
export interface SimQueue {
  /** The queue as one process sees it. */
  readonly join: (process: SimProcess, log: Log) => Jobs;
  /** Sends a job of a schedule, if any process has asked for it. */
  readonly ring: (name: string) => void;
}

/** Between the death of a worker and somebody else's taking its job, in milliseconds: a heartbeat of 15 s, and supervision every 10 s. */
const heartbeatMs = 15_000;
const supervisionMs = 10_000;
/** How long a job looks for a worker before it looks again. */
const nobodyMs = 500;
const retryMaxMs = 300_000;

interface Worker {
  readonly process: SimProcess;
  readonly log: Log;
  readonly kind: JobKind;
  readonly handler: (data: JobData, signal: AbortSignal) => Promise<void>;
  readonly active: Set<Promise<void>>;
  stopped: boolean;
}

/** Makes the queue. `fraction` is the seed's chance, `fateOf` what becomes of a delivery. */
export function createSimQueue(time: VirtualTime, store: SimStore, random: { readonly fraction: () => number; readonly int: (count: number) => number }, fateOf: () => JobFate): SimQueue {
  const workers: Worker[] = [];
  const schedules = new Set<string>();
  /** Jobs that found nobody free. */
  const queued: (() => void)[] = [];
  let isPumping = false;
  const pump = (afterMs: number): void => {
    if (isPumping) return;
    isPumping = true;
    time.schedule(afterMs, () => {
      isPumping = false;
      for (const again of queued.splice(0)) again();
    });
  };

  /** The queue is the world's: what waits in it does not die with who sent it. */
  const enqueue = (name: string, data: JobData, delayMs: number): void => owners.exit(() => keep(name, data, delayMs));
  const keep = (name: string, data: JobData, delayMs: number): void => {
    const deliver = (failures: number): void => {
      const able = workers.filter((each) => each.kind.name === name && !each.stopped && !each.process.dead && !each.process.frozen && each.process.ready && each.active.size < each.kind.concurrency);
      const worker = able[random.int(Math.max(1, able.length))];
      if (worker === undefined) {
        queued.push(() => deliver(failures));
        pump(nobodyMs);
        return;
      }
      let settled = false;
      const again = (afterMs: number, failed: number): void => {
        if (settled) return;
        settled = true;
        time.schedule(afterMs, () => deliver(failed));
      };
      const lostMs = (): number => heartbeatMs + random.fraction() * supervisionMs;
      worker.process.onDeath(() => again(lostMs(), failures));
      // One that hangs gives no sign of life: its job goes to another, and it may still be at it when it wakes up.
      const beat = (): void => {
        if (settled) return;
        if (worker.process.frozen) again(lostMs(), failures);
        else time.schedule(heartbeatMs, beat);
      };
      time.schedule(heartbeatMs, beat);
      const work = worker.process
        .enter(() => worker.handler(data, new AbortController().signal))
        .then(
          () => {
            settled = true;
          },
          (error: unknown) => {
            if (error instanceof Died) return;
            worker.log.error({ job: name, err: error }, 'job failed');
            again(Math.min(retryMaxMs, 1000 * 2 ** failures) * (0.5 + random.fraction()), failures + 1);
          },
        )
        .finally(() => {
          worker.active.delete(work);
          if (queued.length > 0) owners.exit(() => pump(0));
        });
      worker.active.add(work);
    };
    const fate = fateOf();
    if (fate === 'lost') return;
    if (fate === 'twice') time.schedule(delayMs + random.fraction() * 40_000, () => deliver(0));
    time.schedule(delayMs + (fate === 'late' ? random.fraction() * 90_000 : random.fraction() * 20), () => deliver(0));
  };
  return {
    join: (process, log) => {
      const mine: Worker[] = [];
      return {
        send: async (_tx, kind, data, options) => {
          // In the transaction that is open now: one is, and it is the caller's.
          store.afterCommit(() => enqueue(kind.name, data, options?.delayMs ?? 0));
        },
        poke: async (kind, data) => {
          await process.turn();
          process.point('statement');
          enqueue(kind.name, data, 0);
        },
        work: async (kind, handler) => {
          const worker: Worker = { process, log, kind, handler, active: new Set(), stopped: false };
          mine.push(worker);
          workers.push(worker);
          process.onDeath(() => workers.splice(workers.indexOf(worker), 1));
        },
        schedule: async (kind) => void schedules.add(kind.name),
        stop: async (graceMs) => {
          for (const each of mine) each.stopped = true;
          const all = Promise.allSettled(mine.flatMap((each) => [...each.active]));
          await Promise.race([all, time.sleep(graceMs)]);
        },
      };
    },
    ring: (name) => {
      if (schedules.has(name)) enqueue(name, {}, 0);
    },
  };
}
