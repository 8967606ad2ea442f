import type { Correction, EraseResult, RectifyConfirmation, RectifyContext } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import { declaredFailure, firstFit, unexpected } from './call.ts';
import type { Declaration } from './declaration.ts';
import { looseForm } from './identifier-forms.ts';
import { valuesAt } from './json-path.ts';
import { erasureValues, mainLookUps, readPages, recordId, type System } from './look-up.ts';
import { surveyRecords } from './other-people.ts';
import { renderRequest } from './render-request.ts';

type RectifyStep = Declaration['rectify'][number];

/** The corrections that a step takes, each with where a record shows it. */
const takenBy = (step: RectifyStep, corrections: readonly Correction[]): readonly (Correction & { readonly path: string })[] =>
  corrections.flatMap((each) => {
    const path = step.fields[each.field];
    return path === undefined ? [] : [{ ...each, path }];
  });

/** How a record stands to a correction: it shows what was asked for, something that is to be corrected, or something else, which is left as it is. */
function standing(record: unknown, correction: Correction & { readonly path: string }): 'as_asked' | 'to_correct' | 'other' {
  const kind = correction.field === 'email' || correction.field === 'phone' ? correction.field : 'user_id';
  const shown = valuesAt(record, correction.path).map((each) => (each === null || each === undefined ? '' : looseForm(kind, String(each as string | number | boolean))));
  if (shown.some((each) => each === looseForm(kind, correction.to))) return 'as_asked';
  return correction.from === undefined || shown.includes(looseForm(kind, correction.from)) ? 'to_correct' : 'other';
}

/** The records under the person's identifier; once it was corrected itself, under the new one. */
async function* recordsOf(context: RectifyContext, system: System, type: string): AsyncGenerator<{ readonly id: string; readonly record: unknown }> {
  const { identifier, corrections } = context;
  const renamed = corrections.filter((each) => each.field === identifier.kind && looseForm(identifier.kind, each.from ?? identifier.value) === looseForm(identifier.kind, identifier.value));
  const asked: readonly Identifier[] = [identifier, ...renamed.map((each) => ({ kind: identifier.kind, value: each.to }))];
  const seen = new Set<string>();
  for (const lookUp of mainLookUps(system.declaration.locate, identifier.kind).filter((each) => each.type === type)) {
    for (const one of asked) {
      for await (const page of readPages(context, system, lookUp, { identifier: one })) {
        for (const record of page.records) {
          const id = recordId(lookUp, record);
          if (!seen.has(id)) yield { id, record };
          seen.add(id);
        }
      }
    }
  }
}

/**
 * Corrects what a declared system holds of a person. A record that shows what was asked for already is left as it is, so that a run which died goes on
 * where it was. Records that may be several people's go to a person first.
 */
export async function rectifyPerson(context: RectifyContext, system: System): Promise<EraseResult> {
  const { rectify } = system.declaration;
  const counts: Record<string, number> = {};
  const operator = (code: 'UNSUPPORTED' | 'SUBJECT_AMBIGUOUS', detail: string): EraseResult => ({ state: 'operator', code, detail, counts, residue: [], cursor: { asked: true } });
  const unknown = context.corrections.filter((each) => !rectify.some((step) => Object.hasOwn(step.fields, each.field)));
  if (unknown.length > 0) return operator('UNSUPPORTED', `The system’s declaration has no field for ${unknown.map((each) => each.field).join(', ')}`);
  if (context.previous === null && (await surveyRecords(context, system)).doubts.length > 0) return operator('SUBJECT_AMBIGUOUS', 'The records under the identifier may be of several people');
  let isKnown = false;
  for (const [index, step] of rectify.entries()) {
    const corrections = takenBy(step, context.corrections);
    if (corrections.length === 0) continue;
    if (step.each === undefined) {
      if (await send(context, system, { step, index, corrections })) isKnown = true;
      continue;
    }
    for await (const { id, record } of recordsOf(context, system, step.each)) {
      isKnown = true;
      const open = corrections.filter((each) => standing(record, each) === 'to_correct');
      if (open.length > 0 && (await send(context, system, { step, index, corrections: open, item: id }))) counts[step.each] = (counts[step.each] ?? 0) + 1;
      if (context.shouldYield()) return { state: 'continue', cursor: null };
    }
  }
  return { state: 'done', outcome: isKnown ? 'corrected' : 'nothing_matched', counts, residue: [] };
}

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

/** Reads a correction back: every record under the person's old and new identifiers. Where the system cannot be searched its word is all there is. */
export async function confirmRectified(context: RectifyContext, system: System): Promise<RectifyConfirmation> {
  const otherwise = new Set<string>();
  let isRead = false;
  for (const step of system.declaration.rectify) {
    const corrections = takenBy(step, context.corrections);
    if (step.each === undefined || corrections.length === 0) continue;
    let count = 0;
    for await (const { record } of recordsOf(context, system, step.each)) {
      count += 1;
      isRead = true;
      for (const each of corrections) if (standing(record, each) === 'to_correct') otherwise.add(each.field);
    }
    // What was corrected a moment ago is found by nothing any more: that is not what was asked for.
    if (count === 0) for (const each of corrections) otherwise.add(each.field);
  }
  if (otherwise.size > 0) return { state: 'otherwise', fields: [...otherwise].toSorted() };
  return isRead ? { state: 'as_asked' } : { state: 'attested' };
}

