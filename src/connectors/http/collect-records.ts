import type { EraseContext } from '../../connector-kit/index.ts';
import type { EraseCursor } from './erase-cursor.ts';
import type { LookUp } from './declaration.ts';
import { mainLookUps, readPages, recordId, type Page, type Reading, type System } from './look-up.ts';
import { surveyPage, type Ties } from './other-people.ts';

/** A look-up to be read through: for the identifier, or for one record that others belong to. */
interface Source {
  readonly key: string;
  readonly lookUp: LookUp;
  readonly parent?: string;
}

/** How collecting goes: all done, more to do, or records that a person has to look at first, none of which was collected. */
export type Collected =
  | { readonly is: 'complete' | 'more'; readonly cursor: EraseCursor }
  | { readonly is: 'doubtful'; readonly cursor: EraseCursor; readonly doubts: readonly string[] };

/** Thrown out of the reading and caught here. */
class Doubtful extends Error {
  readonly doubts: readonly string[];

  constructor(doubts: readonly string[]) {
    super('Records that may be somebody else’s');
    this.doubts = doubts;
  }
}

/** Looks at each page as it comes: what is on it and was neither the person's nor let through by a person ends the collecting. */
interface Gate {
  readonly ids: (lookUp: LookUp, page: Page) => readonly string[];
  readonly ties: () => Ties;
}

function createGate(context: EraseContext, cursor: EraseCursor): Gate {
  let ties: Ties = cursor.ties;
  const letThrough = new Set(cursor.doubts);
  return {
    ties: () => ties,
    ids: (lookUp, page) => {
      const seen = surveyPage(context, lookUp, page, ties);
      const doubts = seen.doubts.filter((each) => !letThrough.has(each));
      if (doubts.length > 0) throw new Doubtful(doubts);
      ties = seen.ties;
      return [...page.records, ...page.unmatched].map((each) => recordId(lookUp, each));
    },
  };
}

/**
 * Puts every record of one type that the task's identifier leads to into the worklist, page by page, before any of them is erased: deleting while
 * paging skips records. What stops in between goes on at its page; adding a record twice changes nothing. Each page is looked at for other people's
 * records, whatever was seen before: what is not on the worklist is not erased.
 */
export async function collectRecords(context: EraseContext, system: System, type: string, cursor: EraseCursor): Promise<Collected> {
  const gate = createGate(context, cursor);
  const done = [...(cursor.collecting?.done ?? [])];
  let from = cursor.collecting?.at;
  const more = (at?: Reading): Collected => ({ is: 'more', cursor: { ...cursor, ties: gate.ties(), collecting: { done, ...(at === undefined ? {} : { at }) } } });
  try {
    for (const source of await sourcesOf(context, system, type, gate)) {
      if (done.includes(source.key)) continue;
      for await (const page of readPages(context, system, source.lookUp, { identifier: context.identifier, parent: source.parent }, from)) {
        await context.worklist.add(gate.ids(source.lookUp, page).map((id) => ({ type, ref: `${cursor.generation}|${id}` })));
        if (page.next !== undefined && context.shouldYield()) return more(page.next);
      }
      from = undefined;
      done.push(source.key);
      if (context.shouldYield()) return more();
    }
  } catch (error) {
    if (error instanceof Doubtful) return { is: 'doubtful', cursor, doubts: error.doubts };
    throw error;
  }
  const { collecting: _complete, ...rest } = cursor;
  return { is: 'complete', cursor: { ...rest, ties: gate.ties() } };
}

async function sourcesOf(context: EraseContext, system: System, type: string, gate: Gate): Promise<readonly Source[]> {
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
      for await (const page of readPages(context, system, parent, { identifier })) for (const id of gate.ids(parent, page)) parents.add(id);
    }
    sources.push(...[...parents].map((parent) => ({ key: `${at}:${parent}`, lookUp, parent })));
  }
  return sources;
}
