import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((path) => path !== '');
const source = files.filter((path) => /^src\/.*\.ts$/u.test(path));
const read = (path: string): string => readFileSync(path, 'utf8');

test('there is source to look at', () => {
  expect(source.length).toBeGreaterThan(50);
});

test('no file of the source is longer than 400 lines', () => {
  const long = source.filter((path) => !path.endsWith('.test.ts')).map((path) => [path, read(path).split('\n').length] as const);
  expect(long.filter(([, lines]) => lines > 400)).toEqual([]);
});

test('files have names that say what they hold, in kebab case', () => {
  const bad = source.filter((path) => !/^[a-z0-9./-]+$/u.test(path) || /\/(utils?|helpers?|common|manager|misc)(\/|\.)/u.test(path));
  expect(bad).toEqual([]);
});

test('time comes from the clock that is passed in', () => {
  const clocks = /^src\/(platform\/clock\.ts|sandbox\/|cli\/|platform\/jobs\/jobs\.ts)/u;
  const bad = source.filter((path) => !clocks.test(path) && !path.endsWith('.test.ts') && /new Date\(\)|Date\.now\(\)/u.test(read(path)));
  expect(bad).toEqual([]);
});

test('the product does not know that it is tested', () => {
  expect(source.filter((path) => !path.endsWith('.test.ts') && /NODE_ENV|isTest\b|VITEST/u.test(read(path)))).toEqual([]);
});

test('exports are by name', () => {
  expect(source.filter((path) => /^export (\*|default)/mu.test(read(path)))).toEqual([]);
});

test('every exported thing says what it promises', () => {
  const bad: string[] = [];
  for (const path of source.filter((each) => !each.endsWith('.test.ts') && !each.startsWith('src/cli/commands/'))) {
    const lines = read(path).split('\n');
    lines.forEach((line, index) => {
      if (!/^export (async )?(function|const|interface|type|class) [A-Za-z]/u.test(line)) return;
      const before = lines[index - 1] ?? '';
      if (!before.trimEnd().endsWith('*/')) bad.push(`${path}:${index + 1}`);
    });
  }
  expect(bad).toEqual([]);
});

test('every module says what it owns, promises and never does', () => {
  const modules = new Set(source.flatMap((path) => /^src\/modules\/([^/]+)\//u.exec(path)?.[1] ?? []));
  for (const module of modules) {
    const text = read(`src/modules/${module}/README.md`);
    for (const word of ['Owns', 'Promises', 'Never does']) expect(text, `${module}/README.md`).toContain(word);
  }
});

test('no test is left out or cannot fail', () => {
  const tests = files.filter((path) => path.endsWith('.test.ts') && path !== 'test/architecture/tidy.test.ts');
  expect(tests.filter((path) => /\b(it|test|describe)\.(only|todo)\b|expect\(true\)\.toBe\(true\)/u.test(read(path)))).toEqual([]);
});
