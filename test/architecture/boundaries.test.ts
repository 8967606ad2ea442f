import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { beforeAll, describe, expect, test } from 'vitest';
import { folderMayUse, moduleMayUse } from './module-may-use.ts';

interface Edge {
  readonly from: string;
  readonly to: string;
  /** True for `import type`: nothing of it is there at run time. */
  readonly typeOnly: boolean;
}

let edges: readonly Edge[] = [];

beforeAll(async () => {
  const result = await cruise(['src'], { parser: 'swc', tsPreCompilationDeps: true, doNotFollow: { path: 'node_modules' }, exclude: { path: '\\.test\\.ts$' } });
  const output = result.output as ICruiseResult;
  edges = output.modules.flatMap((module) => module.dependencies.map((dependency) => ({ from: module.source, to: dependency.resolved, typeOnly: dependency.dependencyTypes.includes('type-only') })));
});

const folderOf = (path: string): string | undefined => /^src\/([^/]+)\//u.exec(path)?.[1];
const moduleOf = (path: string): string | undefined => /^src\/modules\/([^/]+)\//u.exec(path)?.[1];
const show = (found: readonly Edge[]): string[] => found.map((edge) => `${edge.from} -> ${edge.to}`);

describe('the boundaries', () => {
  test('there are edges to check', () => {
    expect(edges.length).toBeGreaterThan(200);
  });

  test('each folder of src uses only the folders that it may', () => {
    const wrong = edges.filter(({ from, to }) => {
      const [source, target] = [folderOf(from), folderOf(to)];
      if (source === undefined || source === 'composition' || target === undefined || source === target) return false;
      return !(folderMayUse[source] ?? []).includes(target);
    });
    expect(show(wrong)).toEqual([]);
  });

  test('each module uses only the modules that it may', () => {
    const wrong = edges.filter(({ from, to }) => {
      const [source, target] = [moduleOf(from), moduleOf(to)];
      if (source === undefined || target === undefined || source === target) return false;
      return !(moduleMayUse[source] ?? []).includes(target);
    });
    expect(show(wrong)).toEqual([]);
  });

  test('a module is entered by its door, index.ts', () => {
    const wrong = edges.filter(({ from, to }) => moduleOf(to) !== undefined && moduleOf(from) !== moduleOf(to) && !to.endsWith('/index.ts'));
    expect(show(wrong)).toEqual([]);
  });

  test('what is pure stays pure: domain folders reach no database, network or file', () => {
    const impure = /^(node:(fs|net|http|https|dns|child_process)|fs|net|http|https|node_modules\/(kysely|pg|pg-boss|undici)\/)/u;
    const wrong = edges.filter(({ from, to, typeOnly }) => !typeOnly && from.includes('/domain/') && (impure.test(to) || to.includes('platform/db/')));
    expect(show(wrong)).toEqual([]);
  });

  test('a connector keeps to the kit and the contract', () => {
    const wrong = edges.filter(({ from, to }) => /^src\/connectors\/[^/]+\//u.test(from) && to.startsWith('src/') && !/^src\/(connectors\/|connector-kit\/index\.ts|contract\/)/u.test(to));
    expect(show(wrong)).toEqual([]);
  });

  test('the verifier uses nothing but node:crypto', () => {
    const wrong = edges.filter(({ from, to }) => folderOf(from) === 'verify' && folderOf(to) !== 'verify' && !/^(node:)?crypto$/u.test(to));
    expect(show(wrong)).toEqual([]);
  });

  test('nobody but the composition knows every module', () => {
    const knowing = new Map<string, Set<string>>();
    for (const { from, to } of edges) {
      const target = moduleOf(to);
      if (target !== undefined && moduleOf(from) === undefined) knowing.set(from, (knowing.get(from) ?? new Set()).add(target));
    }
    expect([...knowing.entries()].filter(([, modules]) => modules.size > 2).map(([from]) => from).filter((from) => !from.startsWith('src/composition'))).toEqual([]);
    expect(knowing.get('src/composition.ts')?.size).toBeGreaterThan(5);
  });
});
