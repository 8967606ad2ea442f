import type { SeededRandom } from '../seeded-random.ts';
import type { DatabaseFate } from './sim-database.ts';
import type { JobFate } from './sim-jobs.ts';
import type { CallFate } from './sim-network.ts';
import type { Point } from './sim-process.ts';

/** How often what goes wrong in one round, as drawn from its seed. Each is the chance at one instant at which it could. */
export interface Chaos {
  /** While it is off nothing goes wrong. */
  on: boolean;
  /** What happens to a process at a point: nothing, its death, or that it hangs for a while. */
  readonly strikes: (point: Point) => Blow | undefined;
  readonly databaseFate: (point: 'statement' | 'commit' | 'committed') => DatabaseFate;
  /** Whether a vendor lies now. */
  readonly lies: () => boolean;
  readonly jobFate: () => JobFate;
  readonly callFate: (kind: 'call' | 'mail') => CallFate;
  /** Milliseconds until the next thing is done to some process from outside. */
  readonly nextIncidentMs: () => number;
  readonly told: () => Readonly<Record<string, number>>;
}

/** What can hit a process from within. */
export type Blow = 'killed' | 'hung';

const callFates: readonly CallFate[] = ['slow', 'hang', 'lost before', 'lost after', 'twice', 'refused', 'limited', 'failed after', 'garbled'];

/** Draws what this round's world is like: each kind of trouble is absent, rare or frequent. */
export function drawChaos(random: SeededRandom): Chaos {
  const rare = (frequent: number): number => random.pick([0, frequent / 8, frequent]);
  const rates = { statement: rare(1 / 300), boundary: rare(1 / 12), around: rare(1 / 60), hang: rare(1 / 40), cut: rare(1 / 250), conflict: rare(1 / 20), job: rare(1 / 12), call: rare(1 / 5), lie: rare(1 / 2), mail: rare(1 / 3) };
  const kinds = callFates.filter(() => random.chance(0.5));
  const incidentMs = random.pick([5000, 30_000, 120_000, Infinity]);
  const told: Record<string, number> = {};
  const tell = <What extends string>(what: What): What => {
    told[what] = (told[what] ?? 0) + 1;
    return what;
  };
  const chaos: Chaos = {
    on: true,
    strikes: (point) => {
      const rate = point === 'statement' ? rates.statement : point === 'boundary' ? rates.boundary : rates.around;
      if (!chaos.on) return undefined;
      if (random.chance(rate)) {
        tell(`killed at ${point}`);
        return 'killed';
      }
      if (point !== 'call' || !random.chance(rates.hang)) return undefined;
      tell('hung in a call');
      return 'hung';
    },
    databaseFate: (point) => {
      if (!chaos.on) return 'well';
      if (random.chance(rates.cut)) return tell('cut');
      return point === 'commit' && random.chance(rates.conflict) ? tell('conflict') : 'well';
    },
    lies: () => {
      const isLie = chaos.on && random.chance(rates.lie);
      if (isLie) tell('lie');
      return isLie;
    },
    jobFate: () => {
      if (!chaos.on || !random.chance(rates.job)) return 'well';
      return tell(random.pick<JobFate>(['late', 'late', 'twice', 'twice', 'lost']));
    },
    callFate: (kind) => {
      const rate = kind === 'call' ? rates.call : rates.mail;
      if (!chaos.on || kinds.length === 0 || !random.chance(rate)) return 'well';
      return tell(random.pick(kinds));
    },
    nextIncidentMs: () => (incidentMs === Infinity ? Infinity : incidentMs * 2 * random.fraction()),
    told: () => told,
  };
  return chaos;
}
