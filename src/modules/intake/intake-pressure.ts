/** Lets the work of a process stand back while many messages wait for their answer in it: senders wait and give up, the work has days. */
export interface IntakePressure {
  /** Counts a message for as long as it is being answered. */
  readonly during: <Result>(work: () => Promise<Result>) => Promise<Result>;
  /** Resolves at once when few messages wait; otherwise when they are few again, or after five seconds, so that no work ever stands still. */
  readonly relieved: () => Promise<void>;
}

/** Messages at once that are few: they are answered within a blink beside everything else. */
const few = 16;
/** Far under the time after which a job is given to another worker. */
const waitMs = 5000;

/** Makes the count of one process. In a process that only works, or only answers, it does nothing. */
export function createIntakePressure(): IntakePressure {
  let underWay = 0;
  const waiting = new Set<() => void>();
  return {
    during: async (work) => {
      underWay += 1;
      try {
        return await work();
      } finally {
        underWay -= 1;
        if (underWay <= few) for (const wake of waiting) wake();
      }
    },
    relieved: async () => {
      if (underWay <= few) return;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, waitMs);
        waiting.add(wake);
      });
    },
  };
}
