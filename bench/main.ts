import { writeFileSync, readFileSync, existsSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import type { BenchContext, BenchRow } from './measure.ts';
import { cellsOf, resultsSchema, withTable, type Results, type Row } from './result.ts';
import { auditRows } from './rows/audit.ts';
import { installRows } from './rows/install.ts';
import { killedRows } from './rows/killed.ts';
import { latencyRows } from './rows/latency.ts';
import { ruleRows } from './rows/rules.ts';
import { settledRows } from './rows/settled.ts';
import { startRows } from './rows/start.ts';
import { storedRows } from './rows/stored.ts';
import { suppressionRows } from './rows/suppression.ts';

const rows: readonly BenchRow[] = [...settledRows, ...latencyRows, ...storedRows, ...auditRows, ...killedRows, ...suppressionRows, ...ruleRows, ...startRows, ...installRows];

const resultsPath = fileURLToPath(new URL('./results.json', import.meta.url));
const documentPath = fileURLToPath(new URL('../docs/performance.md', import.meta.url));

const usage = `Usage: npm run bench [-- ROW…] [-- --shrink N]

Measures each row against its reference, prints a table, and keeps it in bench/results.json and docs/performance.md.
With names of rows only these are measured; with --shrink everything is N times smaller. Neither is kept.

Rows: ${rows.map(({ name }) => name).join(', ')}
Example: npm run bench -- latency
`;

function describeMachine(measured: readonly Row[]): Results {
  return resultsSchema.parse({
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: availableParallelism(),
    memory_gib: Math.round(totalmem() / 2 ** 30),
    rows: measured,
  });
}

function printTable(measured: readonly Row[]): void {
  const lines = measured.map((row) => {
    const [name = '', , , value = '', reference = '', ratio = '', , goal = '', how = ''] = cellsOf(row).map((cell) => cell.replaceAll(/[`*]/gu, ''));
    return [name, value, reference, ratio, goal, how];
  });
  const all = [['row', 'measured', 'reference', 'ratio min / median / max', 'goal', ''], ...lines];
  const widths = (all[0] ?? []).map((_cell, column) => Math.max(...all.map((line) => (line[column] ?? '').length)));
  for (const line of all) console.log(line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
}

/** Measures rows one after the other; one that fails is told of, and the others still run. */
async function measure(chosen: readonly BenchRow[], shrink: number): Promise<{ readonly measured: readonly Row[]; readonly failed: readonly string[] }> {
  const measured: Row[] = [];
  const failed: string[] = [];
  const start = performance.now();
  const context: BenchContext = { shrink, say: (text) => console.error(`${((performance.now() - start) / 1000).toFixed(0).padStart(4)} s  ${text}`) };
  for (const row of chosen) {
    context.say(`${row.name}: starting`);
    try {
      measured.push(...(await row.run(context)));
    } catch (error) {
      failed.push(row.name);
      context.say(`${row.name}: failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  return { measured, failed };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { shrink: { type: 'string', default: '1' }, help: { type: 'boolean', short: 'h' } } });
  const unknown = positionals.find((name) => !rows.some((row) => row.name === name));
  const shrink = Number(values.shrink);
  if (values.help === true || unknown !== undefined || !(shrink >= 1)) {
    console.error(unknown === undefined ? usage : `There is no row ${unknown}.\n\n${usage}`);
    process.exitCode = values.help === true ? 0 : 2;
    return;
  }
  const chosen = positionals.length === 0 ? rows : rows.filter(({ name }) => positionals.includes(name));
  const { measured, failed } = await measure(chosen, shrink);
  printTable(measured);
  // What is kept is always one whole run: figures of several days and sizes side by side would say nothing.
  if (failed.length > 0) {
    console.error(`Failed: ${failed.join(', ')}. Nothing is kept.`);
    process.exitCode = 1;
  } else if (chosen.length === rows.length && shrink === 1) {
    const results = describeMachine(measured);
    writeFileSync(resultsPath, `${JSON.stringify(results, null, 2)}\n`);
    if (existsSync(documentPath)) writeFileSync(documentPath, withTable(readFileSync(documentPath, 'utf8'), results));
    console.log('\nKept in bench/results.json and docs/performance.md.');
  }
}

await main();
