import type { Correction, EraseResult, RectifyConfirmation, RectifyContext } from '../../connector-kit/index.ts';
import { declaredFailure, firstFit, unexpected } from './call.ts';
import type { Declaration } from './declaration.ts';
import { looseForm } from './identifier-forms.ts';
import { valuesAt } from './json-path.ts';
import { keptToJson, listRecords, parseKept, readKept, type Kept } from './kept-records.ts';
import { erasureValues, type System } from './look-up.ts';
import { surveyRecords } from './other-people.ts';
import { renderRequest } from './render-request.ts';

type RectifyStep = Declaration['rectify'][number];
type Placed = Correction & { readonly path: string };

/** The corrections that a step takes, each with where a record shows it. */
const takenBy = (step: RectifyStep, corrections: readonly Correction[]): readonly Placed[] =>
  corrections.flatMap((each) => {
    const path = step.fields[each.field];
    return path === undefined ? [] : [{ ...each, path }];
  });

/** How a record stands to a correction: it shows what was asked for, something that is to be corrected, or something else, which is left as it is. */
function standing(record: unknown, correction: Placed): 'as_asked' | 'to_correct' | 'other' {
  const kind = correction.field === 'email' || correction.field === 'phone' ? correction.field : 'user_id';
  const shown = valuesAt(record, correction.path).map((each) => (each === null || each === undefined ? '' : looseForm(kind, String(each as string | number | boolean))));
  if (shown.some((each) => each === looseForm(kind, correction.to))) return 'as_asked';
  return correction.from === undefined || shown.includes(looseForm(kind, correction.from)) ? 'to_correct' : 'other';
}

const leftKey = (type: string, id: string, { field }: Correction): string => JSON.stringify([type, id, field]);

/**
 * Corrects what a declared system holds of a person: the records that were found before anything was changed, and no others. One that shows what was
 * asked for already is left as it is, so that a run which died goes on where it was. Records that may be several people's go to a person first, and
 * those that hold something else than the person said afterwards; a retry leaves these as they are.
 */
export async function rectifyPerson(context: RectifyContext, system: System): Promise<EraseResult> {
  const { rectify } = system.declaration;
  const unknown = context.corrections.filter((each) => !rectify.some((step) => Object.hasOwn(step.fields, each.field)));
  if (unknown.length > 0) {
    return { state: 'operator', code: 'UNSUPPORTED', detail: `The system’s declaration has no field for ${unknown.map((each) => each.field).join(', ')}`, counts: {}, residue: [] };
  }
  let kept = parseKept(context.cursor ?? context.previous);
  if (kept === undefined) {
    kept = await listRecords(context, system);
    if ((await surveyRecords(context, system)).doubts.length > 0) return toPerson(kept, 'The records under the identifier may be of several people');
    await context.save(keptToJson(kept));
  }
  const counts: Record<string, number> = { ...kept.counts };
  const left: string[] = [];
  const readOnly = new Set(kept.records.filter((each) => each.isReadOnly === true).map(({ type, id }) => JSON.stringify([type, id])));
  let isShown = Object.keys(kept.counts).length > 0;
  let found = 0;
  for (const [index, step] of rectify.entries()) {
    const corrections = takenBy(step, context.corrections);
    if (corrections.length === 0) continue;
    if (step.each === undefined) {
      if (await send(context, system, { step, index, corrections })) isShown = true;
      continue;
    }
    const type = step.each;
    for (const [id, record] of await readKept(context, system, type, kept)) {
      found += 1;
      const stands = corrections.map((correction) => ({ correction, is: standing(record, correction) }));
      const open = readOnly.has(JSON.stringify([type, id])) ? [] : stands.filter(({ is }) => is === 'to_correct').map(({ correction }) => correction);
      left.push(...stands.filter(({ is }) => is === 'other').map(({ correction }) => leftKey(type, id, correction)));
      isShown ||= stands.some(({ is }) => is === 'as_asked');
      if (open.length === 0 || !(await send(context, system, { step, index, corrections: open, item: id }))) continue;
      isShown = true;
      counts[type] = (counts[type] ?? 0) + 1;
      if (context.shouldYield()) return { state: 'continue', cursor: keptToJson({ ...kept, counts }) };
    }
  }
  const seen = new Set(kept.left);
  const over: Kept = { ...kept, left, counts };
  if (left.some((each) => !seen.has(each))) return toPerson(over, 'A record holds something else than the person said');
  // They were there when they were listed: that they are not found now is no sign that there was nothing.
  if (!isShown && found === 0 && kept.records.length > 0) return { state: 'operator', code: 'NOTHING_MATCHED', detail: 'The records that were to be corrected are not found any more', counts, residue: [], cursor: keptToJson(over) };
  return { state: 'done', outcome: isShown ? 'corrected' : 'nothing_matched', counts, residue: [], cursor: keptToJson(over) };
}

const toPerson = (kept: Kept, detail: string): EraseResult => ({ state: 'operator', code: 'SUBJECT_AMBIGUOUS', detail, counts: kept.counts, residue: [], cursor: keptToJson(kept) });

/** Makes one correcting call; answers false where the system knows nobody there. */
async function send(context: RectifyContext, system: System, { step, index, corrections, item }: { readonly step: RectifyStep; readonly index: number; readonly corrections: readonly Correction[]; readonly item?: string }): Promise<boolean> {
  const values = {
    ...erasureValues(system.declaration, context),
    ...Object.fromEntries(corrections.map(({ field, to }) => [`correction.${field}`, to])),
    idempotency_key: context.idempotencyKey(`rectify:${index}:${item ?? ''}`),
    'item.id': item,
  };
  const answer = await system.send(context, renderRequest(system.declaration.base_url, step.request, values));
  const rule = firstFit(step.answers, answer);
  if (rule === undefined) throw unexpected(answer, context.now());
  if (rule.is === 'failure') throw declaredFailure(answer, rule, context.now());
  return rule.is === 'success';
}

/**
 * Reads a correction back in the very records that were corrected. Each must show what was asked for, unless a person let it be left because it holds
 * something else than was said. What was sent where nothing can be read leaves the system's word for all of it.
 */
export async function confirmRectified(context: RectifyContext, system: System): Promise<RectifyConfirmation> {
  const kept = parseKept(context.cursor);
  const otherwise = new Set<string>(kept === undefined ? context.corrections.map(({ field }) => field) : []);
  const read = new Set<string>();
  let isBlind = false;
  for (const step of kept === undefined ? [] : system.declaration.rectify) {
    const corrections = takenBy(step, context.corrections);
    if (step.each === undefined) isBlind ||= corrections.length > 0;
    if (kept === undefined || step.each === undefined || corrections.length === 0) continue;
    const records = await readKept(context, system, step.each, kept);
    for (const { type, id } of kept.records.filter((each) => each.type === step.each)) {
      for (const correction of corrections) {
        read.add(correction.field);
        // What was corrected a moment ago and is found by nothing any more does not show what was asked for.
        const is = records.has(id) ? standing(records.get(id), correction) : 'to_correct';
        const isLeft = is === 'other' && kept.left.includes(leftKey(type, id, correction));
        if (is !== 'as_asked' && !isLeft) otherwise.add(correction.field);
      }
    }
  }
  if (otherwise.size > 0) return { state: 'otherwise', fields: [...otherwise].toSorted() };
  return !isBlind && context.corrections.every(({ field }) => read.has(field)) ? { state: 'as_asked' } : { state: 'attested' };
}
