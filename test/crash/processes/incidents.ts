import { boundaryNames } from '../../../src/modules/orchestration/index.ts';
import { makeFaults, type PlannedFault } from '../faults.ts';
import type { SeededRandom } from '../seeded-random.ts';

/** The kinds of database that rounds run on: as one process, or as four that share a server. */
export type ProcessMode = 'embedded' | 'postgres';

/** Which processes an installation has, by the services of each. */
export const slotServices: Readonly<Record<ProcessMode, readonly string[]>> = {
  embedded: ['http,worker,scheduler'],
  postgres: ['http', 'worker', 'worker', 'scheduler'],
};

/** One thing that is done to an installation from outside, so many milliseconds after the first request. */
export type Incident = { readonly atMs: number } & (
  | { readonly what: 'kill' | 'stop'; readonly slot: number }
  | { readonly what: 'freeze'; readonly slot: number; readonly forMs: number }
  | { readonly what: 'jump'; readonly slot: number; readonly offsetMs: number }
  | { readonly what: 'cut' }
  | { readonly what: 'down'; readonly how: 'fast' | 'immediate'; readonly forMs: number }
  | { readonly what: 'fault'; readonly planned: PlannedFault }
  | { readonly what: 'mail'; readonly how: 'reject' | 'drop'; readonly count: number }
);

/** Everything that goes wrong in a round, drawn before it begins. */
export interface Plan {
  readonly incidents: readonly Incident[];
  /** For each process, the boundaries at which its first lives end, `name:n` each; an empty one ends otherwise. */
  readonly crashes: readonly (readonly string[])[];
  readonly lastsMs: number;
}

/** Senders sign by clocks that are right; beyond five minutes a server takes their signatures for stale. */
const jumpsMs = [-240_000, -30_000, 30_000, 240_000] as const;

/** The boundaries that a process with these services reaches. A scheduler reaches none: it is killed at any instant. */
function boundariesOf(services: string): readonly string[] {
  const own = [...(services.includes('http') ? ['request.opening'] : []), ...(services.includes('worker') ? boundaryNames.filter((each) => each !== 'request.opening') : [])];
  return own.length === 0 ? ['none'] : own;
}

/** Draws what goes wrong: how much of each kind differs from round to round. */
export function drawPlan(random: SeededRandom, mode: ProcessMode): Plan {
  const lastsMs = 2500 + random.int(3500);
  const slots = slotServices[mode];
  const at = (): number => random.int(lastsMs);
  const some = <Item>(most: number, make: () => Item): Item[] => Array.from({ length: random.int(most + 1) }, make);
  const incidents: Incident[] = [
    ...some(mode === 'embedded' ? 2 : 3, () => ({ atMs: at(), what: 'kill' as const, slot: random.int(slots.length) })),
    ...some(1, () => ({ atMs: at(), what: 'stop' as const, slot: random.int(slots.length) })),
    ...some(1, () => ({ atMs: at(), what: 'freeze' as const, slot: random.int(slots.length), forMs: 300 + random.int(3000) })),
    ...some(2, () => ({ atMs: at(), what: 'jump' as const, slot: random.int(slots.length), offsetMs: random.pick(jumpsMs) })),
    ...some(1, () => ({ atMs: at(), what: 'mail' as const, how: random.pick(['reject', 'drop'] as const), count: 1 + random.int(2) })),
    ...(random.chance(0.8) ? makeFaults(random.fork('faults'), 8) : []).map((planned) => ({ atMs: random.int(Math.ceil(lastsMs / 2)), what: 'fault' as const, planned })),
    ...(mode === 'postgres' ? some(2, () => ({ atMs: at(), what: 'cut' as const })) : []),
    ...(mode === 'postgres' && random.chance(0.4) ? [{ atMs: at(), what: 'down' as const, how: random.pick(['fast', 'immediate'] as const), forMs: 200 + random.int(1500) }] : []),
  ];
  const crashes = slots.map((services) => some(mode === 'embedded' ? 2 : 1, () => `${random.pick(boundariesOf(services))}:${1 + random.int(6)}`));
  return { incidents: incidents.toSorted((one, other) => one.atMs - other.atMs), crashes, lastsMs };
}

/** Says in a few words what went wrong. */
export function describePlan(plan: Plan): string {
  const counts = new Map<string, number>();
  const add = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  for (const crash of plan.crashes.flat()) add(`crash at ${crash}`);
  for (const incident of plan.incidents) add(incident.what === 'fault' ? `${incident.planned.vendor} ${incident.planned.fault.kind}` : incident.what === 'down' ? `down ${incident.how}` : incident.what);
  return [...counts].map(([what, count]) => (count === 1 ? what : `${count} ${what}`)).join(', ') || 'nothing';
}
