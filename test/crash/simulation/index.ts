import { makePeople } from '../people.ts';
import { createSeededRandom } from '../seeded-random.ts';
import { findViolations } from '../violations.ts';
import { drawChaos } from './chaos.ts';
import { openWorld } from './world.ts';

/** What a round came to. */
export interface SimulationResult {
  readonly violations: readonly string[];
  /** How many requests lived. */
  readonly lives: number;
  /** How many things happened, one after the other. */
  readonly events: number;
  /** How often what went wrong. */
  readonly told: Readonly<Record<string, number>>;
  /** How much time passed in the simulation, in milliseconds. */
  readonly lastedMs: number;
}

/** How many people ask in one round: enough that what a round takes before its first life is little of it. */
const peopleCount = 24;
/** After trouble ends everything must come to rest within this: longer than every window. */
const restMs = 20 * 86_400_000;
const minuteMs = 60_000;

/** Plays one seed from beginning to end. The same seed plays the same way. */
export async function runSimulationRound(seed: string): Promise<SimulationResult> {
  const random = createSeededRandom(seed);
  const chaos = drawChaos(random.fork('chaos'));
  const world = await openWorld(random, chaos);
  const people = makePeople(random.fork('people'), peopleCount);
  world.plant(people);
  world.begin();
  const hurryMs = random.pick([1000, minuteMs, 10 * minuteMs]);
  for (const person of people) world.ask(person, random.int(hurryMs));
  await world.pass(random.pick([minuteMs, 5 * minuteMs, 30 * minuteMs]));
  world.calm();
  const restless = await world.rest(restMs);
  await world.end();
  const evidence = world.evidence();
  const violations = [...restless.map((each) => `${each} never came to rest`), ...world.bugs(), ...(await findViolations(evidence))];
  return { violations, lives: evidence.accepted.length, events: world.events(), told: chaos.told(), lastedMs: world.lastedMs() };
}
