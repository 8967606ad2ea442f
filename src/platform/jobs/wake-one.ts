/** The workers of one queue in this process, of which one at a time is woken. */
export interface WorkerPool {
  /** Says that a worker has jobs, and whether it got as many as it can take, so that there may be more for another one. */
  readonly begin: (worker: string, isFull: boolean) => void;
  /** Says that a worker has done its jobs. */
  readonly end: (worker: string) => void;
  /** Has one worker that does nothing look for jobs; the first to be done, when all have some. */
  readonly wake: () => void;
}

/**
 * Makes the pool. Each wake-up is one look at the queue: that all workers look because one job came costs a statement for each of them, which
 * was most of what a request took of the embedded database. Wakes go round, since a worker that looks already may have missed what just came.
 */
export function createWorkerPool(workers: readonly string[], notify: (worker: string) => void): WorkerPool {
  const busy = new Set<string>();
  let next = 0;
  let missed = false;
  const wake = (): void => {
    for (let tried = 0; tried < workers.length; tried += 1) {
      const worker = workers[next % workers.length];
      next += 1;
      if (worker === undefined || busy.has(worker)) continue;
      notify(worker);
      return;
    }
    missed = true;
  };
  return {
    begin: (worker, isFull) => {
      busy.add(worker);
      if (isFull) wake();
    },
    end: (worker) => {
      busy.delete(worker);
      if (!missed) return;
      missed = false;
      notify(worker);
    },
    wake,
  };
}
