import { z } from 'zod';

/** One measurement and its reference, taken one after the other. */
const pairSchema = z.strictObject({ measured: z.number(), reference: z.number().nullable() });

/** What a row must reach: `measured` against `factor` × reference + `plus`, at least or at most. A row without a reference is held to `plus` alone. */
const goalSchema = z.strictObject({ how: z.enum(['at_least', 'at_most']), factor: z.number(), plus: z.number() });

const rowSchema = z.strictObject({
  name: z.string(),
  what: z.string(),
  against: z.string(),
  unit: z.string(),
  /** How many things one run handles. */
  size: z.int(),
  goal: goalSchema,
  runs: z.array(pairSchema).min(1),
  /** Anything else that was seen in the runs and that explains them. */
  notes: z.record(z.string(), z.number()),
  reached: z.boolean(),
});

/** The file `bench/results.json`. */
export const resultsSchema = z.strictObject({
  date: z.iso.date(),
  node: z.string(),
  platform: z.string(),
  cpu: z.string(),
  cpus: z.int(),
  memory_gib: z.int(),
  rows: z.array(rowSchema),
});

/** One measurement and its reference. */
export type Pair = z.infer<typeof pairSchema>;
/** What a row must reach. */
export type Goal = z.infer<typeof goalSchema>;
/** A row as it is kept. */
export type Row = z.infer<typeof rowSchema>;
/** Everything that the last run found. */
export type Results = z.infer<typeof resultsSchema>;

/** Smallest, middle and largest of some numbers. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Gives the spread of at least one number; of an even number of them the median is the mean of the middle two. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((one, other) => one - other);
  const [min, max] = [sorted[0], sorted.at(-1)];
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.ceil((sorted.length - 1) / 2)];
  if (min === undefined || max === undefined || low === undefined || high === undefined) throw new RangeError('Nothing has no spread');
  return { min, median: (low + high) / 2, max };
}

/** The ratio of each run, measured over reference; the measured values themselves where there is no reference. */
export function ratiosOf(runs: readonly Pair[]): readonly number[] {
  return runs.map(({ measured, reference }) => (reference === null ? measured : measured / reference));
}

/** Says whether the middle run reaches the goal: the median over the runs of how far each is beyond it. */
export function isReached(goal: Goal, runs: readonly Pair[]): boolean {
  const margins = runs.map(({ measured, reference }) => {
    const bound = goal.factor * (reference ?? 0) + goal.plus;
    return goal.how === 'at_least' ? measured - bound : bound - measured;
  });
  return spreadOf(margins).median >= 0;
}

const show = (value: number): string => (value >= 1000 ? Math.round(value).toLocaleString('en-US') : value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

function showGoal({ how, factor, plus }: Goal, unit: string): string {
  const parts = [...(factor === 0 ? [] : [`${factor} ×`]), ...(plus === 0 ? [] : [`${show(plus)} ${unit}`])];
  return `${how === 'at_least' ? 'at least' : 'at most'} ${parts.join(' + ')}`;
}

const spreadText = (values: readonly number[]): string => {
  const { min, median, max } = spreadOf(values);
  return values.length === 1 ? show(median) : `${show(min)} / **${show(median)}** / ${show(max)}`;
};

/** Gives one row as the cells of the table. */
export function cellsOf(row: Row): readonly string[] {
  const references = row.runs.flatMap(({ reference }) => (reference === null ? [] : [reference]));
  return [
    `\`${row.name}\``,
    row.what,
    row.against,
    `${show(spreadOf(row.runs.map(({ measured }) => measured)).median)} ${row.unit}`,
    references.length === 0 ? '–' : `${show(spreadOf(references).median)} ${row.unit}`,
    references.length === 0 ? '–' : spreadText(ratiosOf(row.runs)),
    String(row.runs.length),
    showGoal(row.goal, row.unit),
    row.reached ? 'reached' : '**not reached**',
  ];
}

const header = ['row', 'what', 'against', 'measured', 'reference', 'ratio: min / median / max', 'runs', 'goal', ''];
/** Between these two lines of `docs/performance.md` stands what the last run found. */
export const markers = { start: '<!-- bench: start; written by `npm run bench` -->', end: '<!-- bench: end -->' } as const;

/** Gives the part of `docs/performance.md` that is made from the results; without any it says so. */
export function performanceTable(results: Results | undefined): string {
  if (results === undefined) return [markers.start, 'No run is kept yet.', markers.end].join('\n');
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const notes = results.rows.flatMap((row) => Object.entries(row.notes).map(([what, value]) => `- \`${row.name}\`: ${what}: ${show(value)}`));
  return [
    markers.start,
    `${results.date}, Node ${results.node}, ${results.platform}, ${results.cpus} × ${results.cpu}, ${results.memory_gib} GiB.`,
    '',
    line(header),
    line(header.map(() => '---')),
    ...results.rows.map((row) => line(cellsOf(row))),
    ...(notes.length === 0 ? [] : ['', 'Seen in the same runs (medians):', '', ...notes]),
    markers.end,
  ].join('\n');
}

/** Puts the part made from the results into the document. Throws when the document has no markers. */
export function withTable(document: string, results: Results | undefined): string {
  const start = document.indexOf(markers.start);
  const end = document.indexOf(markers.end);
  if (start < 0 || end < start) throw new Error('The document has no place for the table');
  return `${document.slice(0, start)}${performanceTable(results)}${document.slice(end + markers.end.length)}`;
}
