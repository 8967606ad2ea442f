import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isReached, markers, performanceTable, resultsSchema, spreadOf, withTable, type Results } from '../../bench/result.ts';

const document = readFileSync('docs/performance.md', 'utf8');
const kept = existsSync('bench/results.json') ? resultsSchema.parse(JSON.parse(readFileSync('bench/results.json', 'utf8'))) : undefined;

const example: Results = {
  date: '2026-01-02',
  node: '24.0.0',
  platform: 'linux x64',
  cpu: 'Example',
  cpus: 2,
  memory_gib: 8,
  rows: [
    {
      name: 'one',
      what: 'a thing',
      against: 'another',
      unit: 'ms',
      size: 1,
      goal: { how: 'at_most', factor: 1.3, plus: 50 },
      runs: [
        { measured: 200, reference: 100 },
        { measured: 150, reference: 100 },
        { measured: 160, reference: 100 },
      ],
      notes: { calls: 86 },
      reached: true,
    },
  ],
};

describe('docs/performance.md', () => {
  test('shows exactly what the last kept run found', () => {
    expect(withTable(document, kept)).toBe(document);
  });

  test('would not pass with another figure in it', () => {
    expect(withTable(document.replace(markers.start, `${markers.start}\n12,345 requests/s`), kept)).not.toBe(document.replace(markers.start, `${markers.start}\n12,345 requests/s`));
  });

  test('has no measured figure outside of what is written by the run', () => {
    const before = document.slice(0, document.indexOf(markers.start));
    const after = document.slice(document.indexOf(markers.end));
    const figure = /\d+(?:\.\d+)?(?: ?%| times| ?×| MB| rows| requests\/s| s\b)/u;
    expect(before).not.toMatch(figure);
    expect(after).not.toMatch(figure);
    expect(performanceTable(example)).toMatch(figure);
  });
});

describe('what is kept of a run', () => {
  test('says of each row whether it reaches its goal, from its own figures', () => {
    for (const row of kept?.rows ?? example.rows) expect({ name: row.name, reached: isReached(row.goal, row.runs) }).toEqual({ name: row.name, reached: row.reached });
  });

  test('has smallest, middle and largest ratio in its table', () => {
    expect(performanceTable(example)).toContain('| 160 ms | 100 ms | 1.50 / **1.60** / 2.00 | 3 | at most 1.3 × + 50.0 ms | reached |');
  });

  test('reaches a goal when the middle run does, and not when only the best one does', () => {
    const goal = { how: 'at_least', factor: 0.5, plus: 0 } as const;
    const runs = [0.4, 0.5, 0.9].map((measured) => ({ measured, reference: 1 }));
    expect(isReached(goal, runs)).toBe(true);
    expect(isReached(goal, [...runs, { measured: 0.3, reference: 1 }, { measured: 0.3, reference: 1 }])).toBe(false);
    expect(isReached({ how: 'at_most', factor: 0, plus: 60 }, [{ measured: 61, reference: null }])).toBe(false);
  });

  test('takes the mean of the middle two of an even number as the median', () => {
    expect(spreadOf([4, 1, 3, 2])).toEqual({ min: 1, median: 2.5, max: 4 });
  });
});
