import { z } from 'zod';
import { Failure, type Json, type RectifyContext } from '../../connector-kit/index.ts';
import { countsSchema } from '../../contract/outcomes.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import { looseForm, tiedTo } from './identifier-forms.ts';
import { mainLookUps, readPages, recordId, type System } from './look-up.ts';

const recordSchema = z.strictObject({
  type: z.string(),
  id: z.string(),
  /** True where another task had corrected the identifier already: it is looked at, and never changed. */
  isReadOnly: z.boolean().optional(),
});

const keptSchema = z.strictObject({
  /** The records that are corrected, and no others: as they were found before the first of them was changed. */
  records: z.array(recordSchema),
  /** Which of them hold something else than the person said, by field; a person's retry leaves these as they are. */
  left: z.array(z.string()),
  counts: countsSchema,
});

/** What a correction keeps between its steps and for its read-back. */
export type Kept = z.output<typeof keptSchema>;

/** Reads what an earlier step kept, or the one with which the task went to a person; undefined before the first. Another shape is a bug and throws `INTERNAL`. */
export function parseKept(cursor: Json): Kept | undefined {
  if (cursor === null) return undefined;
  const parsed = keptSchema.safeParse(cursor);
  if (!parsed.success) throw new Failure('INTERNAL', 'The kept cursor is not one of a correction');
  return parsed.data;
}

/** The cursor as JSON: fields that are absent stay absent. */
export function keptToJson(kept: Kept): Json {
  return JSON.parse(JSON.stringify(kept)) as Json;
}

/** What the task's identifier becomes by the corrections. Whoever else has that already is a stranger. */
function renamedTo({ identifier, corrections }: RectifyContext): readonly Identifier[] {
  const { kind, value } = identifier;
  return corrections.filter((each) => each.field === kind && looseForm(kind, each.from ?? value) === looseForm(kind, value)).map(({ to }) => ({ kind, value: to }));
}

async function* recordsUnder(context: RectifyContext, system: System, type: string, identifier: Identifier): AsyncGenerator<{ readonly id: string; readonly record: unknown; readonly ties: readonly Identifier[] }> {
  for (const lookUp of mainLookUps(system.declaration.locate, context.identifier.kind).filter((each) => each.type === type)) {
    for await (const page of readPages(context, system, lookUp, { identifier })) {
      for (const record of page.records) yield { id: recordId(lookUp, record), record, ties: tiedTo(lookUp, record) };
    }
  }
}

/**
 * Finds the records to be corrected, under the identifier as it was. Only where there are none of a type, those are named that an earlier task of the
 * same person renamed: under the new value, tied to something that is proven to be the person's and to nothing else; they are only looked at.
 */
export async function listRecords(context: RectifyContext, system: System): Promise<Kept> {
  const known = new Set([context.identifier, ...context.proven].map(keyOf));
  const records: Kept['records'] = [];
  for (const type of typesOf(system)) {
    const ids = new Set<string>();
    for await (const { id } of recordsUnder(context, system, type, context.identifier)) ids.add(id);
    records.push(...[...ids].map((id) => ({ type, id })));
    if (ids.size > 0) continue;
    const renamed = new Set<string>();
    for (const one of renamedTo(context)) {
      for await (const { id, ties } of recordsUnder(context, system, type, one)) {
        const others = ties.filter((each) => keyOf(each) !== keyOf(one));
        if (others.length > 0 && others.every((each) => known.has(keyOf(each)))) renamed.add(id);
      }
    }
    records.push(...[...renamed].map((id) => ({ type, id, isReadOnly: true })));
  }
  return { records, left: [], counts: {} };
}

const keyOf = ({ kind, value }: Identifier): string => `${kind}:${looseForm(kind, value)}`;
const typesOf = ({ declaration }: System): readonly string[] => [...new Set(declaration.rectify.flatMap(({ each }) => each ?? []))];

/** Reads the kept records of one type, by the old identifier and by the new one; of what else these find nothing is looked at. What is not found is absent. */
export async function readKept(context: RectifyContext, system: System, type: string, kept: Kept): Promise<ReadonlyMap<string, unknown>> {
  const wanted = new Set(kept.records.filter((each) => each.type === type).map(({ id }) => id));
  const found = new Map<string, unknown>();
  for (const one of [context.identifier, ...renamedTo(context)]) {
    if (found.size === wanted.size) break;
    for await (const { id, record } of recordsUnder(context, system, type, one)) if (wanted.has(id) && !found.has(id)) found.set(id, record);
  }
  return found;
}
