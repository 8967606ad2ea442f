import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { layGround, type Ground } from './processes/ground.ts';
import { runProcessRound } from './processes/round.ts';
import { runSimulationRound } from './simulation/index.ts';
import { startPlayer, type Player } from './simulation/played-apart.ts';

/**
 * Plays seeded rounds and says what did not hold: `node test/crash/main.ts --mode simulation|embedded|postgres [--seed S] [--rounds N]
 * [--lanes L]`, where lanes play side by side. Round n of the seed S is the round S/n; `--seed S/n --rounds 1` repeats it. Ends with 1 when anything did not hold.
 */
interface Told {
  readonly violations: readonly string[];
  readonly about: string;
}

const modes = ['simulation', 'embedded', 'postgres'] as const;
type Mode = (typeof modes)[number];

const { values } = parseArgs({
  options: { seed: { type: 'string', default: randomBytes(4).toString('hex') }, rounds: { type: 'string', default: '1' }, mode: { type: 'string', default: 'embedded' }, lanes: { type: 'string' } },
});
const mode = modes.find((each) => each === values.mode);
const rounds = Number(values.rounds);
const isCount = (text: string): boolean => /^[1-9]\d*$/u.test(text);
if (mode === undefined || !isCount(values.rounds) || !isCount(values.lanes ?? '1')) {
  process.stderr.write(`--mode takes ${modes.join(', ')}; --rounds and --lanes a number from 1 on\n`);
  process.exit(2);
}

/** A round that is named whole is played as it is named. */
const seedOf = (round: number): string => (values.seed.includes('/') && rounds === 1 ? values.seed : `${values.seed}/${round}`);

async function playSimulated(player: Player | undefined, seed: string): Promise<Told> {
  const began = performance.now();
  const { violations, lives, events, told } = await (player === undefined ? runSimulationRound(seed) : player.play(seed));
  livesPlayed += lives;
  const went = Object.entries(told).map(([what, count]) => `${count} ${what}`);
  return { violations, about: `${lives} requests, ${events} events, ${Math.round(performance.now() - began)} ms: ${went.join(', ') || 'nothing'}` };
}

async function playReal(ground: Ground, seed: string): Promise<Told> {
  const { violations, requests, processes, tookMs, done, folder } = await runProcessRound(ground, seed);
  return { violations, about: `${requests} requests, ${processes} processes, ${(tookMs / 1000).toFixed(1)} s: ${done}${folder === undefined ? '' : `\n  kept in ${folder}`}` };
}

/** Plays rounds one after the other, until none is left; several lanes play side by side. */
async function lane(next: () => number | undefined, of: Mode): Promise<number> {
  const ground = of === 'simulation' ? undefined : await layGround(of);
  // The simulation has its whole process for itself: several lanes are several processes.
  const player = of === 'simulation' && lanes > 1 ? startPlayer() : undefined;
  let failed = 0;
  try {
    for (let round = next(); round !== undefined; round = next()) {
      const seed = seedOf(round);
      const { violations, about } = await (ground === undefined ? playSimulated(player, seed) : playReal(ground, seed));
      const again = [...violations, `again: npm run crash -- --mode ${of} --seed '${seed}' --rounds 1`].map((line) => `  ${line}\n`).join('');
      tell(round, `round ${round} seed ${seed} ${violations.length === 0 ? 'holds' : 'DOES NOT HOLD'}: ${about}\n${violations.length === 0 ? '' : again}`);
      if (violations.length > 0) failed += 1;
    }
  } finally {
    player?.close();
    await ground?.close();
  }
  return failed;
}

const untold = new Map<number, string>();
let told = 0;
/** Prints what became of a round when all before it were printed. */
function tell(round: number, text: string): void {
  untold.set(round, text);
  for (let next = untold.get(told + 1); next !== undefined; next = untold.get(told + 1)) {
    process.stdout.write(next);
    told += 1;
    untold.delete(told);
  }
}

const lanesOf: Readonly<Record<Mode, number>> = { simulation: availableParallelism(), embedded: 2, postgres: 3 };
const lanes = Math.min(rounds, Number(values.lanes ?? lanesOf[mode]));
const began = performance.now();
let livesPlayed = 0;
let played = 0;
const next = (): number | undefined => {
  if (played === rounds) return undefined;
  played += 1;
  return played;
};
const failures = await Promise.all(Array.from({ length: lanes }, async () => lane(next, mode)));
const failed = failures.reduce((sum, each) => sum + each, 0);
const minutes = (performance.now() - began) / 60_000;
const pace = mode === 'simulation' ? `, ${livesPlayed} lives, ${Math.round(livesPlayed / minutes)} a minute` : '';
process.stdout.write(`${mode}: ${rounds} rounds of the seed ${values.seed}, ${failed} did not hold${pace}\n`);
process.exit(failed === 0 ? 0 : 1);
