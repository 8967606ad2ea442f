import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { errorTable } from '../../src/contract/errors.ts';
import { describeSettings } from '../../src/platform/config/settings.ts';
import { folderMayUse, moduleMayUse } from './module-may-use.ts';

const documents = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { encoding: 'utf8' })
  .split('\n')
  .filter((path) => path !== '' && existsSync(path));
const read = (path: string): string => readFileSync(path, 'utf8');

/** Something that a document names, and the document. */
interface Named {
  readonly document: string;
  readonly name: string;
}

/** Everything that a pattern's first group finds in a part of each document. */
function namedIn(pattern: RegExp, partsOf: (text: string) => readonly string[]): readonly Named[] {
  return documents.flatMap((document) =>
    partsOf(read(document)).flatMap((part) => [...part.matchAll(pattern)].map((match) => ({ document, name: match[1] ?? '' }))),
  );
}

const show = (found: readonly Named[]): readonly string[] => found.map(({ document, name }) => `${document}: ${name}`);
const whole = (text: string): readonly string[] => [text];
const withoutFences = (text: string): string => text.replaceAll(/^```[\s\S]*?^```$/gmu, '');
/** What stands between single backticks. */
const inlineCode = (text: string): readonly string[] => [...withoutFences(text).matchAll(/`([^`\n]+)`/gu)].map((match) => match[1] ?? '');
/** Code in backticks, in fences and in indented lines. */
const allCode = (text: string): readonly string[] => [
  ...inlineCode(text),
  ...[...text.matchAll(/^```[\s\S]*?^```$/gmu)].map(([block]) => block),
  ...withoutFences(text).split('\n').filter((line) => line.startsWith('    ')),
];
const prose = (text: string): readonly string[] => [withoutFences(text).replaceAll(/`[^`\n]+`/gu, '')];

/** The anchors of a document, as hosts of repositories make them from its headings. */
const anchorsOf = (text: string): readonly string[] =>
  [...withoutFences(text).matchAll(/^#{1,6} (.+)$/gmu)].map((match) => (match[1] ?? '').toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, '').replaceAll(' ', '-'));

/** The rows of the table whose header's first cell is `head`, by their first cell: the last cell's list. */
function tableOf(text: string, head: string): Record<string, readonly string[]> {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${head} |`));
  const rest = start < 0 ? [] : lines.slice(start + 2);
  const end = rest.findIndex((line) => !line.startsWith('|'));
  const rows = rest.slice(0, end < 0 ? rest.length : end).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
  return Object.fromEntries(rows.map((cells) => [cells[0] ?? '', cells.at(-1) === '–' ? [] : (cells.at(-1) ?? '').split(', ')]));
}

describe('the documents', () => {
  test('link only to files and headings that exist', () => {
    const links = namedIn(/\]\(([^)\s]+)\)/gu, prose).filter(({ name }) => !/^(https?|mailto):/u.test(name));
    expect(links.length).toBeGreaterThan(30);
    const broken = links.filter(({ document, name }) => {
      const [path = '', anchor] = name.split('#', 2);
      const target = path === '' ? document : join(dirname(document), path);
      if (path.startsWith('/') || normalize(target).startsWith('..') || !existsSync(target)) return true;
      return anchor !== undefined && !anchorsOf(read(target)).includes(anchor);
    });
    expect(show(broken)).toEqual([]);
  });

  test('name only scripts that package.json has', () => {
    const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
    const named = [...namedIn(/\bnpm run ([a-z][a-z:-]*)/gu, whole), ...namedIn(/\bnpm (test|start)\b/gu, whole)].filter(({ document }) => document !== 'CHANGELOG.md');
    expect(named.length).toBeGreaterThan(10);
    expect(show(named.filter(({ name }) => !Object.hasOwn(scripts, name)))).toEqual([]);
  });

  test('name only commands that the command line has', () => {
    const named = namedIn(/\bquittance ([a-z][a-z-]*(?: [a-z][a-z-]*)?)/gu, allCode).filter(({ document }) => document !== 'CHANGELOG.md');
    expect(named.length).toBeGreaterThan(20);
    const exists = ({ name }: Named): boolean => {
      const [noun = '', verb = ''] = name.split(' ');
      return existsSync(`src/cli/commands/${noun}/command.ts`) || existsSync(`src/cli/commands/${noun}/${verb}/command.ts`);
    };
    expect(show(named.filter((each) => !exists(each)))).toEqual([]);
  });

  test('name only error codes that exist, and other words in capitals that are known to be something else', () => {
    // Words of SQL, HTTP and vendors. One that no document uses any more has no place here.
    const others = ['AND', 'CREATE', 'CREATEROLE', 'DELETE', 'FAILED', 'FINISHED', 'GET', 'INVALID', 'INVALID_JSON', 'LISTEN', 'NOT_SUPPORTED', 'OBJECT_ID', 'PARTIAL_SUCCESS', 'POST', 'RULE_DISABLED'];
    const named = namedIn(/^([A-Z]{3,}(?:_[A-Z]+)*)$/gu, inlineCode);
    expect(named.filter(({ name }) => Object.hasOwn(errorTable, name)).length).toBeGreaterThan(30);
    const settings = describeSettings().map(({ variable }) => variable);
    expect(show(named.filter(({ name }) => !Object.hasOwn(errorTable, name) && !others.includes(name) && !settings.includes(name)))).toEqual([]);
    expect(others.filter((word) => !named.some(({ name }) => name === word))).toEqual([]);
  });

  test('name only settings that the process has', () => {
    const settings = describeSettings().map(({ variable }) => variable);
    const named = namedIn(/\b(QUITTANCE_[A-Z_]+)\b/gu, whole);
    expect(named.length).toBeGreaterThan(settings.length);
    expect(show(named.filter(({ name }) => !settings.includes(name)))).toEqual([]);
  });

  test('name only paths that exist', () => {
    const named = namedIn(/^((?:src|test|docs|migrations|examples|tools)\/[^\s<>*{}]*)$/gu, inlineCode);
    expect(named.length).toBeGreaterThan(30);
    expect(show(named.filter(({ name }) => !existsSync(name)))).toEqual([]);
  });
});

describe('ARCHITECTURE.md', () => {
  const text = read('ARCHITECTURE.md');

  test('is one page', () => {
    expect(text.split('\n').length).toBeLessThanOrEqual(110);
  });

  test('shows the boundaries that the code is held to', () => {
    expect(tableOf(text, 'module')).toEqual(moduleMayUse);
    expect(tableOf(text, 'folder of `src`')).toEqual(folderMayUse);
  });

  test('names only files of the source that exist', () => {
    const paths = [...text.matchAll(/\bsrc\/[\w./-]*\w/gu)].map(([path]) => path);
    expect(paths.length).toBeGreaterThan(20);
    expect(paths.filter((path) => !existsSync(path))).toEqual([]);
  });

  test('links to the file that decides when an erasure counts as done', () => {
    expect(text).toContain('](src/modules/orchestration/domain/erasure-outcome.ts)');
    expect(read('src/modules/orchestration/domain/erasure-outcome.ts')).toContain('This file alone decides when an erasure counts as done.');
  });
});

describe('the decisions', () => {
  const records = documents.filter((path) => path.startsWith('docs/adr/'));

  test('are numbered without a gap', () => {
    expect(records.length).toBeGreaterThan(0);
    expect(records.toSorted().map((path) => /^docs\/adr\/(\d{4})-[a-z0-9-]+\.md$/u.exec(path)?.[1])).toEqual(records.map((_path, at) => String(at + 1).padStart(4, '0')));
  });

  test.each(records)('%s has its context, decision and consequences, in at most 40 lines', (path) => {
    const text = read(path);
    expect(text.split('\n').length - 1).toBeLessThanOrEqual(40);
    expect(text.startsWith(`# ${path.slice('docs/adr/'.length, 'docs/adr/'.length + 4)}: `)).toBe(true);
    expect([...text.matchAll(/^## (.+)$/gmu)].map((match) => match[1])).toEqual(['Context', 'Decision', 'Consequences']);
  });
});
