import type { Goal, Pair, Row } from './result.ts';
import { isReached, spreadOf } from './result.ts';

/** What a row is given. */
export interface BenchContext {
  /** Says what is being done, while it is done. */
  readonly say: (text: string) => void;
  /** Divides the size of everything, to try a row out: 1 for figures that are kept. */
  readonly shrink: number;
}

/** What the table says of a row, before anything was measured. */
export interface RowHead {
  readonly name: string;
  readonly what: string;
  readonly against: string;
  readonly unit: string;
  readonly size: number;
  readonly goal: Goal;
}

/** A row of the table: measures, and cleans up after itself whatever happens. */
export interface BenchRow {
  readonly name: string;
  readonly run: (context: BenchContext) => Promise<readonly Row[]>;
}

/** Runs the reference and the measured thing in turns, A B B A A B, so that neither always has the warmer machine. */
export async function inTurns(context: BenchContext, name: string, times: number, parts: { readonly measured: () => Promise<number>; readonly reference: () => Promise<number> }): Promise<readonly Pair[]> {
  const pairs: Pair[] = [];
  for (let run = 0; run < times; run += 1) {
    const isReferenceFirst = run % 2 === 0;
    let reference = isReferenceFirst ? await parts.reference() : 0;
    const measured = await parts.measured();
    if (!isReferenceFirst) reference = await parts.reference();
    pairs.push({ measured, reference });
    context.say(`${name}: run ${run + 1} of ${times}: ${measured.toFixed(2)} against ${reference.toFixed(2)}, ratio ${(measured / reference).toFixed(3)}`);
  }
  return pairs;
}

/** Makes a row of what was measured; `notes` are given as one value for each run and kept as medians. */
export function rowOf(head: RowHead, runs: readonly Pair[], notes: Readonly<Record<string, readonly number[]>> = {}): Row {
  const medians = Object.entries(notes).flatMap(([what, values]) => (values.length === 0 ? [] : [[what, spreadOf(values).median] as const]));
  return { ...head, runs: [...runs], notes: Object.fromEntries(medians), reached: isReached(head.goal, runs) };
}

/** A size for this run: the real one divided by `shrink`, at least `least`. */
export const sized = (context: BenchContext, size: number, least = 1): number => Math.max(least, Math.round(size / context.shrink));
