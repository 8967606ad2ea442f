import type { ServiceName } from '../../../src/composition.ts';
import type { HttpServer } from '../../../src/platform/http/server.ts';
import type { Blow } from './chaos.ts';
import { owners, type Owner, type VirtualTime } from './virtual-time.ts';

/** Where a process can be hit. */
export type Point = 'statement' | 'commit' | 'committed' | 'call' | 'answered' | 'boundary' | 'mail';

/** A process of Quittance inside the simulation. */
export interface SimProcess extends Owner {
  readonly name: string;
  readonly services: readonly ServiceName[];
  /** Runs code as this process. */
  readonly enter: <Result>(work: () => Result) => Result;
  /** Waits for its turn; for ever once it is dead. */
  readonly turn: () => Promise<void>;
  /** Asks fate. Throws when the process dies here. */
  readonly point: (point: Point) => void;
  /** Ends it as SIGKILL would: nothing that it still does has any effect. */
  readonly kill: () => void;
  readonly freeze: () => void;
  readonly thaw: () => void;
  readonly onDeath: (hear: () => void) => void;
  /** How far its clock is off, in milliseconds. */
  skewMs: number;
  app: HttpServer | undefined;
  ready: boolean;
  stop: (() => Promise<void>) | undefined;
}

/** Thrown into the code of a process at the instant of its death. Whatever it does about it has no effect. */
export class Died extends Error {
  constructor() {
    super('The simulated process is dead');
    this.name = 'Died';
  }
}

/** Makes a process. `strike` says what hits it at a point; `hangs` hears that it does, and has to thaw it. */
export function createSimProcess(time: VirtualTime, name: string, services: readonly ServiceName[], strike: (point: Point) => Blow | undefined, hangs: (process: SimProcess) => void): SimProcess {
  const state = { dead: false, frozen: false };
  const mourners: (() => void)[] = [];
  const kill = (): void => {
    if (state.dead) return;
    state.dead = true;
    // What follows from a death is the world's matter, not the dead process's.
    owners.exit(() => {
      for (const hear of mourners.splice(0)) hear();
    });
  };
  const process: SimProcess = {
    name,
    services,
    get dead() {
      return state.dead;
    },
    get frozen() {
      return state.frozen;
    },
    enter: (work) => owners.run(process, work),
    turn: () => owners.run(process, time.turn),
    point: (point) => {
      if (state.dead) throw new Died();
      const blow = strike(point);
      if (blow === 'hung') {
        state.frozen = true;
        owners.exit(() => hangs(process));
      }
      if (blow !== 'killed') return;
      kill();
      throw new Died();
    },
    kill,
    freeze: () => {
      state.frozen = true;
    },
    thaw: () => {
      state.frozen = false;
    },
    onDeath: (hear) => void mourners.push(hear),
    skewMs: 0,
    app: undefined,
    ready: false,
    stop: undefined,
  };
  return process;
}
