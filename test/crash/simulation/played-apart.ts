import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SimulationResult } from './index.ts';

/** Plays rounds in a process of its own, which the simulation needs whole. */
export interface Player {
  /** Plays one round; another may only be asked for when it is over. */
  readonly play: (seed: string) => Promise<SimulationResult>;
  readonly close: () => void;
}

/** Most of what a round makes is thrown away at once; the more room there is for it, the less often somebody has to look for what is still needed. */
const nursery = '--max-semi-space-size=64';

/** Starts a process that plays rounds, with what this process was started with: a bug that is planted here is planted there. */
export function startPlayer(): Player {
  const child = fork(fileURLToPath(new URL('./player.ts', import.meta.url)), { execArgv: [...process.execArgv, nursery], serialization: 'advanced' });
  return {
    play: async (seed) => {
      const answer = answerOf(child);
      child.send(seed);
      return answer;
    },
    close: () => void child.kill(),
  };
}

/** The next thing that a player says; that it ends without having said anything is an error, never a round that holds. */
async function answerOf(child: ChildProcess): Promise<SimulationResult> {
  return new Promise((resolve, reject) => {
    const heard = (message: unknown): void => {
      child.off('exit', ended);
      resolve(message as SimulationResult);
    };
    const ended = (code: number | null, signal: string | null): void => {
      child.off('message', heard);
      reject(new Error(`A process that plays rounds ended in the middle of one, with ${code ?? signal ?? 'nothing'}`));
    };
    child.once('message', heard);
    child.once('exit', ended);
  });
}
