import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** What a test does to a server that it started: it stands still, goes on, or is gone. */
export interface HeldProcess {
  readonly freeze: () => void;
  readonly thaw: () => void;
  readonly stop: () => Promise<void>;
}

/** Takes hold of a process that was started: it never outlives this one. */
export function holdProcess(child: ChildProcess): HeldProcess {
  const endWithProcess = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithProcess);
  return {
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      process.off('exit', endWithProcess);
    },
  };
}
