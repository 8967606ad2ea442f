import { setTimeout as pause } from 'node:timers/promises';
import { bugCode, spawnChild, type StartedChild, type ToServer } from '../child.ts';

/** A place in which a process runs; whenever it ends there, another is started, as a supervisor does. */
export interface Slot {
  /** Where the present process listens; undefined while none does. */
  readonly url: () => string | undefined;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly tell: (what: ToServer) => void;
  /** Starts no process any more that dies by itself, and tells the present one. */
  readonly disarm: () => void;
  /** Stops the process in order and starts no other; answers what was wrong with its end, if anything. */
  readonly close: () => Promise<string | undefined>;
  /** How many processes there were, and ends that nobody caused. */
  readonly told: () => { readonly lives: number; readonly bugs: number };
}

/** How long a process may take to stop in order: what it holds at most, and some. */
const stopMs = 45_000;

/** Opens a slot. `crashes` are the boundaries at which its first processes die. */
export function openSlot(environment: Record<string, string>, crashes: readonly string[], stderr: number, restartMs: () => number): Slot {
  const queue = [...crashes];
  let child: StartedChild | undefined;
  let url: string | undefined;
  let closing = false;
  let offsetMs = 0;
  let lives = 0;
  let bugs = 0;

  const run = async (): Promise<void> => {
    for (;;) {
      if (closing) return;
      const crash = queue.shift();
      const current = spawnChild({ ...environment, CLOCK_OFFSET_MS: String(offsetMs), ...(crash === undefined || crash === '' ? {} : { CRASH_AT: crash }) }, stderr);
      child = current;
      lives += 1;
      const startedUrl = await current.started;
      if (startedUrl !== undefined) {
        url = startedUrl;
        // Told before it could hear.
        current.tell({ offsetMs });
      }
      const end = await current.ended;
      url = undefined;
      if (end.code === bugCode) bugs += 1;
      if (!closing) await pause(restartMs());
    }
  };
  const running = run();
  return {
    url: () => (url === '' ? undefined : url),
    kill: (signal) => child?.kill(signal),
    tell: (what) => {
      offsetMs = what.offsetMs ?? offsetMs;
      child?.tell(what);
    },
    disarm: () => {
      queue.length = 0;
      child?.tell({ disarm: true });
    },
    close: async () => {
      closing = true;
      const last = child;
      last?.kill('SIGTERM');
      let isLate = false;
      const late = setTimeout(() => {
        isLate = true;
        last?.kill('SIGKILL');
      }, stopMs);
      await running;
      clearTimeout(late);
      return isLate ? `a process did not stop within ${stopMs} ms` : undefined;
    },
    told: () => ({ lives, bugs }),
  };
}
