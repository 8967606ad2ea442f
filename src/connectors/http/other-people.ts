import { createHash } from 'node:crypto';
import { Failure, type EraseContext } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { CallContext } from './authenticate.ts';
import type { LookUp } from './declaration.ts';
import { looseForm, tiedTo } from './identifier-forms.ts';
import { idAt } from './json-path.ts';
import { mainLookUps, readPages, recordId, type Page, type System } from './look-up.ts';

/** For whom records are looked at. */
type Asking = CallContext & Pick<EraseContext, 'identifier' | 'proven'>;

/** What is seen of one record that may be somebody else's. */
interface Candidate {
  /** Its digest: the same as long as it is the same record with the same identifiers. */
  readonly mark: string;
  readonly ties: readonly Identifier[];
  readonly isUnmatched: boolean;
}

/** The identifiers of the records that were looked at so far, as one digest for each kind. */
export type Ties = Readonly<Record<string, string>>;

/** What a look at all records came to. */
export interface Survey {
  /** The digests of records that may be somebody else's, in no order of the system's. */
  readonly doubts: readonly string[];
  readonly ties: Ties;
}

const keyOf = ({ kind, value }: Identifier): string => `${kind}:${looseForm(kind, value)}`;
const digest = (value: unknown): string => createHash('sha256').update(JSON.stringify(value), 'utf8').digest('base64url').slice(0, 22);

/** True where something in a look-up's records can tell whose they are. */
export function isTelling(lookUp: LookUp): boolean {
  return Object.keys(lookUp.found).length > 0 || lookUp.unmatched === 'ambiguous';
}

function candidatesOf(lookUp: LookUp, page: Page): readonly Candidate[] {
  const candidate = (record: unknown, isUnmatched: boolean): Candidate => {
    const ties = tiedTo(lookUp, record);
    return { mark: digest([lookUp.type, idAt(record, lookUp.id) ?? record, ties.map(keyOf).toSorted(), isUnmatched]), ties, isUnmatched };
  };
  return [...page.records.map((each) => candidate(each, false)), ...page.unmatched.map((each) => candidate(each, true))];
}

/** For each kind that has a say: the identifiers that a record carries of it, as one text. */
function setsOf({ ties }: Candidate, isAsked: (kind: string) => boolean): readonly (readonly [kind: string, set: string])[] {
  const byKind = Map.groupBy(ties.filter(({ kind }) => isAsked(kind)), ({ kind }) => kind);
  return [...byKind].map(([kind, each]) => [kind, digest([...new Set(each.map(keyOf))].toSorted())]);
}

/** Which candidates carry other identifiers of a kind than another one, or than those that were seen before. All of them: neither is likelier the person. */
function differing(candidates: readonly Candidate[], before: Ties, isAsked: (kind: string) => boolean): { readonly marks: readonly string[]; readonly ties: Ties } {
  const sets = new Map<string, Map<string, string[]>>(Object.entries(before).map(([kind, set]) => [kind, new Map([[set, []]])]));
  for (const candidate of candidates) {
    for (const [kind, set] of setsOf(candidate, isAsked)) {
      const ofKind = sets.get(kind) ?? new Map<string, string[]>();
      sets.set(kind, ofKind);
      const marks = ofKind.get(set) ?? [];
      ofKind.set(set, marks);
      marks.push(candidate.mark);
    }
  }
  const ties = Object.fromEntries([...sets].flatMap(([kind, ofKind]) => [...ofKind.keys()].slice(0, 1).map((set) => [kind, set])));
  return { marks: [...sets.values()].flatMap((ofKind) => (ofKind.size > 1 ? [...ofKind.values()].flat() : [])), ties };
}

/**
 * Which of these records may be somebody else's than the task's person: one that does not show what was asked for, one with an identifier that is not
 * proven to be the person's, and under a telephone number, which households share, records that differ in any identifier.
 */
function surveyed(context: Asking, candidates: readonly Candidate[], before: Ties): Survey {
  // That the task is about this identifier was decided already, by proof or by a person.
  const known = new Set([context.identifier, ...context.proven].map(keyOf));
  const unproven = candidates.filter(({ isUnmatched, ties }) => isUnmatched || ties.some((each) => !known.has(keyOf(each))));
  const { marks, ties } = context.identifier.kind === 'phone' ? differing(candidates, before, () => true) : { marks: [], ties: before };
  return { doubts: [...new Set([...unproven.map(({ mark }) => mark), ...marks])], ties };
}

/** Looks at every record that an erasure would reach, those that belong to others included, before anything is erased. Where nothing could tell, nothing is read. */
export async function surveyRecords(context: Asking, system: System): Promise<Survey> {
  const { locate } = system.declaration;
  const { identifier } = context;
  const candidates: Candidate[] = [];
  for (const lookUp of mainLookUps(locate, identifier.kind)) {
    const children = locate.filter((each) => each.of === lookUp.type && isTelling(each));
    if (!isTelling(lookUp) && children.length === 0) continue;
    for await (const page of readPages(context, system, lookUp, { identifier })) {
      candidates.push(...candidatesOf(lookUp, page));
      for (const child of children) {
        for (const record of [...page.records, ...page.unmatched]) {
          for await (const inner of readPages(context, system, child, { identifier, parent: recordId(lookUp, record) })) candidates.push(...candidatesOf(child, inner));
        }
      }
    }
  }
  return surveyed(context, candidates, {});
}

/** The same for one page that is about to be collected: what was seen before is not what is deleted. */
export function surveyPage(context: EraseContext, lookUp: LookUp, page: Page, before: Ties): Survey {
  return surveyed(context, candidatesOf(lookUp, page), before);
}

/**
 * Fails with `SUBJECT_AMBIGUOUS` where what is found under an identifier may be several people's: a record that a look-up's `match` does not recognise
 * and its declaration will not leave out, or records that differ in an address or a number; under a telephone number in any identifier.
 */
export async function refuseSeveralPeople(context: CallContext, system: System, identifier: Identifier): Promise<void> {
  const candidates: Candidate[] = [];
  for (const lookUp of mainLookUps(system.declaration.locate, identifier.kind).filter(isTelling)) {
    for await (const page of readPages(context, system, lookUp, { identifier })) candidates.push(...candidatesOf(lookUp, page));
  }
  const { marks } = differing(candidates, {}, (kind) => identifier.kind === 'phone' || kind === 'email' || kind === 'phone');
  if (marks.length > 0 || candidates.some((each) => each.isUnmatched)) throw new Failure('SUBJECT_AMBIGUOUS', 'The records under the identifier may be of several people');
}
