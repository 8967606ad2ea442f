/** Thrown out of a process that stands still: nothing that it does after this has any effect. */
export class Stopped extends Error {
  constructor() {
    super('The process stands still');
    this.name = 'Stopped';
  }
}

/** What one operation of a process came to: kept, so that the process can go on later from exactly there. */
interface Logged {
  readonly kind: 'transaction' | 'query' | 'clock' | 'vendor';
  readonly value?: unknown;
  readonly error?: unknown;
}

/** Everything that a process has done so far. A process that stands still is this and nothing else, so it can go on from it any number of times. */
export type History = readonly Logged[];

/** One process at work on one job. */
interface Run {
  /** What is still to be gone through again, by kind: look-ups of several systems run beside one another, and their order is nobody's promise. */
  readonly replay: Record<Logged['kind'], Logged[]>;
  readonly history: History;
  readonly log: Logged[];
  isStopped: boolean;
  isInTransaction: boolean;
}

/** How a process ended: `done`, `threw`, or it stands still with a history. */
export interface Ended {
  readonly how: 'done' | 'threw' | 'stopped';
  readonly history: History;
  readonly error?: unknown;
}

/** Runs processes one at a time, operation by operation. */
export interface Stepping {
  /** Runs the work of a process; with a history it first goes through that again, without any effect, and then on from there. */
  readonly run: (work: () => Promise<void>, history: History) => Promise<Ended>;
  /** Says whether a process stands still before an operation. */
  readonly pauseWhere: (may: (at: string) => boolean) => void;
  /** One operation: a place to stand still before it (where `pauseAt` names it), then its effect, once. */
  readonly operation: <Value>(kind: Logged['kind'], pauseAt: string | undefined, work: () => Promise<Value>) => Promise<Value>;
  /** The same for a whole transaction, whose parts are no operations of their own. */
  readonly transaction: <Value>(work: () => Promise<Value>) => Promise<Value>;
  readonly clock: (read: () => number) => number;
  /** True for a process that stood still and goes on. */
  readonly isResumed: () => boolean;
  /** The first transaction's value of the process at work: what it claimed. */
  readonly claimed: () => unknown;
}

/**
 * Makes the stepping. Code cannot be run backwards, but what it was told can be told again: a process that stood still is started once more
 * and gets the same answers up to where it stood, so that the real code, unchanged, can be stopped at any operation and go on at any later time.
 */
export function createStepping(): Stepping {
  let mayPause: (at: string) => boolean = () => false;
  let current: Run | undefined;
  const operation: Stepping['operation'] = async <Value>(kind: Logged['kind'], pauseAt: string | undefined, work: () => Promise<Value>) => {
    const run = current;
    if (run === undefined || run.isInTransaction) return work();
    const before = run.replay[kind].shift();
    if (before !== undefined) {
      run.log.push(before);
      if ('error' in before) throw before.error;
      return before.value as Value;
    }
    if (run.isStopped) throw new Stopped();
    if (pauseAt !== undefined && run.log.length > 0 && mayPause(pauseAt)) {
      run.isStopped = true;
      throw new Stopped();
    }
    try {
      const value = await work();
      run.log.push({ kind, value });
      return value;
    } catch (error) {
      run.log.push({ kind, error });
      throw error;
    }
  };
  return {
    pauseWhere: (may) => {
      mayPause = may;
    },
    operation,
    transaction: (work) =>
      operation('transaction', 'transaction', async () => {
        const run = current;
        if (run !== undefined) run.isInTransaction = true;
        try {
          return await work();
        } finally {
          if (run !== undefined) run.isInTransaction = false;
        }
      }),
    clock: (read) => {
      const run = current;
      if (run === undefined || run.isInTransaction || run.isStopped) return read();
      const before = run.replay.clock.shift();
      if (before !== undefined) {
        run.log.push(before);
        return before.value as number;
      }
      const value = read();
      run.log.push({ kind: 'clock', value });
      return value;
    },
    isResumed: () => current !== undefined && current.history.length > 0,
    claimed: () => current?.history.find((each) => each.kind === 'transaction')?.value,
    run: async (work, history) => {
      const of = (kind: Logged['kind']): Logged[] => history.filter((each) => each.kind === kind);
      const run: Run = { history, replay: { transaction: of('transaction'), query: of('query'), clock: of('clock'), vendor: of('vendor') }, log: [], isStopped: false, isInTransaction: false };
      current = run;
      try {
        await work();
        const left = Object.values(run.replay).flat().length;
        if (left > 0) throw new Error(`A process that goes on did not do ${left} of the things that it had done`);
        return { how: run.isStopped ? 'stopped' : 'done', history: run.log };
      } catch (error) {
        return { how: run.isStopped ? 'stopped' : 'threw', history: run.log, error };
      } finally {
        current = undefined;
      }
    },
  };
}
