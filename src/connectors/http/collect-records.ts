import type { EraseContext } from '../../connector-kit/index.ts';
import type { EraseCursor } from './erase-cursor.ts';
import type { LookUp } from './declaration.ts';
import { mainLookUps, readPages, recordId, type System } from './look-up.ts';

/** A look-up to be read through: for the identifier, or for one record that others belong to. */
interface Source {
  readonly key: string;
  readonly lookUp: LookUp;
  readonly parent?: string;
}

/**
 * Puts every record of one type that the task's identifier leads to into the worklist, page by page, before any of them is erased: deleting while
 * paging skips records. What stops in between goes on at its page; adding a record twice changes nothing.
 */
export async function collectRecords(context: EraseContext, system: System, type: string, cursor: EraseCursor): Promise<{ readonly isComplete: boolean; readonly cursor: EraseCursor }> {
  const done = [...(cursor.collecting?.done ?? [])];
  let page = cursor.collecting?.page;
  for (const source of await sourcesOf(context, system, type)) {
    if (done.includes(source.key)) continue;
    const asked = { identifier: context.identifier, parent: source.parent };
    for await (const { records, next } of readPages(context, system, source.lookUp, asked, page)) {
      await context.worklist.add(records.map((record) => ({ type, ref: `${cursor.generation}|${recordId(source.lookUp, record)}` })));
      if (next !== undefined && context.shouldYield()) return { isComplete: false, cursor: { ...cursor, collecting: { done, page: next } } };
    }
    page = undefined;
    done.push(source.key);
    if (context.shouldYield()) return { isComplete: false, cursor: { ...cursor, collecting: { done } } };
  }
  const { collecting: _complete, ...rest } = cursor;
  return { isComplete: true, cursor: rest };
}

async function sourcesOf(context: EraseContext, system: System, type: string): Promise<readonly Source[]> {
  const { locate } = system.declaration;
  const { identifier } = context;
  const main = mainLookUps(locate, identifier.kind);
  const sources: Source[] = [];
  for (const [at, lookUp] of locate.entries()) {
    if (lookUp.type !== type) continue;
    if (lookUp.of === undefined) {
      if (main.includes(lookUp)) sources.push({ key: String(at), lookUp });
      continue;
    }
    const parents = new Set<string>();
    for (const parent of main.filter((each) => each.type === lookUp.of)) {
      for await (const { records } of readPages(context, system, parent, { identifier })) for (const record of records) parents.add(recordId(parent, record));
    }
    sources.push(...[...parents].map((parent) => ({ key: `${at}:${parent}`, lookUp, parent })));
  }
  return sources;
}
