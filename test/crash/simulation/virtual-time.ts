import { AsyncLocalStorage } from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';

/** Who waits: a simulated process. What a dead one waits for never comes, and what a frozen one waits for comes when it goes on. */
export interface Owner {
  readonly dead: boolean;
  readonly frozen: boolean;
}

/** Whose timers never come: the embedded database's own, by which it counts statistics. They would come at other times in each round. */
export const timeless: Owner = { dead: true, frozen: false };

/** The simulated process in which the running code is; none for the world around them. */
export const owners = new AsyncLocalStorage<Owner>();

interface Event {
  readonly order: number;
  at: number;
  readonly run: () => void;
  readonly owner: Owner | undefined;
  /** A look that somebody takes every few milliseconds: it may come late, as any timer may, so nothing is done for it alone. */
  readonly isPoll: boolean;
}

/** Time that moves only when nothing is left to be done in it, and that chooses by the seed who goes next. */
export interface VirtualTime {
  readonly now: () => number;
  /** Runs something later, in the caller's process. */
  readonly schedule: (delayMs: number, run: () => void) => { readonly cancel: () => void };
  /** Waits, in the caller's process. */
  readonly sleep: (ms: number) => Promise<void>;
  /** Waits until the caller's process is chosen to go on: any of the others may come first. */
  readonly turn: () => Promise<void>;
  /** Real work, such as a statement in the database, that must be over before anybody else goes on. */
  readonly busy: <Result>(work: Promise<Result>) => Promise<Result>;
  /** Lets time pass until `isOver`, `untilMs` or nothing is left to happen; answers how many things happened. */
  readonly run: (isOver: () => boolean, untilMs: number) => Promise<number>;
  /** Puts the process on this time: its timers, `Date.now`, `AbortSignal.timeout`. The embedded database takes its time from there, too. */
  readonly install: () => void;
  /** Forgets everything that waits, and starts again at an instant with another choice. */
  readonly restart: (startMs: number, choose: (count: number) => number) => void;
}

/** What comes at least this often is a look for something to do. */
const pollMs = 100;
/** How many times its period such a look may be late. */
const pollLateMax = 50;
/** How many turns of the event loop without any sign of work mean that nothing goes on by itself. */
const idleTurns = 3;

/** Whether the process waits for something real, such as a file: a web server loads its pages at its start. */
const isReading = (): boolean => process.getActiveResourcesInfo().some((each) => each !== 'Immediate' && !each.endsWith('Wrap'));

class Timer {
  readonly #event: { readonly cancel: () => void };
  constructor(event: { readonly cancel: () => void }) {
    this.#event = event;
  }
  cancel(): void {
    this.#event.cancel();
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return false;
  }
  [Symbol.dispose](): void {
    this.cancel();
  }
}

/** Makes virtual time. */
export function createVirtualTime(): VirtualTime {
  const realImmediate = globalThis.setImmediate;
  let now = Date.now();
  let order = 0;
  let working = 0;
  let signs = 0;
  let events: Event[] = [];
  let choose: (count: number) => number = () => 0;

  const add = (delayMs: number, run: () => void, isPoll: boolean): Event => {
    const owner = owners.getStore();
    if (owner?.dead === true) return { order: 0, at: Infinity, run, owner, isPoll };
    signs += 1;
    order += 1;
    const lateMs = isPoll ? pollMs * choose(pollLateMax) : 0;
    const event = { order, at: now + Math.max(0, Math.ceil(delayMs)) + lateMs, run: AsyncLocalStorage.bind(run), owner, isPoll };
    events.push(event);
    return event;
  };
  const remove = (event: Event): void => {
    const index = events.indexOf(event);
    if (index >= 0) events.splice(index, 1);
  };
  const schedule: VirtualTime['schedule'] = (delayMs, run) => {
    const event = add(delayMs, run, false);
    return { cancel: () => remove(event) };
  };
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void schedule(ms, resolve));

  const setTimer = (callback: (...given: unknown[]) => void, ms = 0, ...given: unknown[]): Timer => {
    const event = add(ms, () => callback(...given), ms <= pollMs);
    return new Timer({ cancel: () => remove(event) });
  };
  const setRepeated = (callback: (...given: unknown[]) => void, ms = 0, ...given: unknown[]): Timer => {
    let event: Event;
    const again = (): void => {
      event = add(ms, () => {
        again();
        callback(...given);
      }, ms <= pollMs);
    };
    again();
    return new Timer({ cancel: () => remove(event) });
  };
  const clear = (timer: unknown): void => {
    if (timer instanceof Timer) timer.cancel();
  };
  const pause = (ms = 0, value?: unknown, options?: { readonly signal?: AbortSignal }): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const event = add(ms, () => resolve(value), ms <= pollMs);
      const give = (): void => {
        remove(event);
        reject(options?.signal?.reason as Error);
      };
      if (options?.signal?.aborted === true) give();
      else options?.signal?.addEventListener('abort', give, { once: true });
    });
  const install = (): void => {
    Object.assign(globalThis, { setTimeout: setTimer, setInterval: setRepeated, clearTimeout: clear, clearInterval: clear });
    Date.now = () => now;
    AbortSignal.timeout = (ms) => {
      const controller = new AbortController();
      add(ms, () => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')), false);
      return controller.signal;
    };
    Object.assign(timersPromises, { setTimeout: pause });
    syncBuiltinESMExports();
  };

  const quiet = async (): Promise<void> => {
    for (let idle = 0; idle < idleTurns; ) {
      const before = signs;
      await new Promise<void>((resolve) => void realImmediate(resolve));
      idle = working === 0 && signs === before && !isReading() ? idle + 1 : 0;
    }
  };
  const next = (): Event | undefined => {
    events = events.filter((each) => each.owner?.dead !== true);
    const able = events.filter((each) => each.owner?.frozen !== true);
    const [first] = able;
    if (first === undefined) return undefined;
    const serious = able.filter((each) => !each.isPoll);
    const at = Math.max(now, Math.min(...(serious.length > 0 ? serious : able).map((each) => each.at)));
    const ready = able.filter((each) => each.at <= at);
    const chosen = ready[choose(ready.length)] ?? first;
    now = at;
    remove(chosen);
    return chosen;
  };
  return {
    now: () => now,
    schedule,
    sleep,
    turn: () => sleep(0),
    busy: async (work) => {
      working += 1;
      signs += 1;
      try {
        return await work;
      } finally {
        working -= 1;
        signs += 1;
      }
    },
    run: async (isOver, untilMs) => {
      for (let count = 0; ; count += 1) {
        await quiet();
        if (isOver() || now >= untilMs) return count;
        const event = next();
        if (event === undefined) return count;
        event.run();
      }
    },
    install,
    restart: (startMs, chooseNext) => {
      events = [];
      now = startMs;
      choose = chooseNext;
    },
  };
}
