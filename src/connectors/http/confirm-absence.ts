import type { ConfirmResult, ConnectorContext, EraseContext } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import { firstFit, unexpected } from './call.ts';
import type { Declaration } from './declaration.ts';
import { parseCursor } from './erase-cursor.ts';
import { identifierValues, mainLookUps, readPages, type System } from './look-up.ts';
import { renderRequest } from './render-request.ts';

/** The first wait for what is still seen after an erasure, in milliseconds; each further one is three times the time waited so far. */
const firstWaitMs = 5_000;
const lastWaitMs = 6 * 3_600_000;

/** How a declaration reads back: as it says, otherwise by its look-ups, otherwise not at all. */
export function confirmOf(declaration: Declaration): NonNullable<Declaration['confirm']> {
  if (declaration.confirm !== undefined) return declaration.confirm;
  return declaration.locate.some((each) => each.of === undefined) ? { by: 'locate', within_seconds: 0 } : { by: 'attestation' };
}

/** True where a look-up of the declaration finds a record under the identifier, also one that does not show it and may not be left out. */
export async function isThere(context: ConnectorContext, system: System, identifier: Identifier): Promise<boolean> {
  for (const lookUp of mainLookUps(system.declaration.locate, identifier.kind)) {
    for await (const { records, unmatched } of readPages(context, system, lookUp, { identifier })) if (records.length + unmatched.length > 0) return true;
  }
  return false;
}

/**
 * Reads back under every identifier of the person that the system can be asked by. What is still seen gets `within_seconds` after the erasure to go
 * away, with growing waits. A declaration without a way to look leaves the system's word, and says so.
 */
export async function confirmAbsence(context: EraseContext, system: System): Promise<ConfirmResult> {
  const confirm = confirmOf(system.declaration);
  if (confirm.by === 'attestation') return { state: 'attested' };
  const found: Identifier[] = [];
  const asked = context.identifiers.filter(({ kind }) => system.declaration.identifiers[kind] !== undefined && (confirm.by === 'request' || mainLookUps(system.declaration.locate, kind).length > 0));
  // None of the person's identifiers can be asked for: nothing was looked at, so nothing was seen.
  if (asked.length === 0) return { state: 'attested' };
  for (const identifier of asked) {
    const seen = confirm.by === 'locate' ? ((await isThere(context, system, identifier)) ? 'present' : 'absent') : await ask(context, system, confirm, identifier);
    if (seen === 'later') return { state: 'later', afterMs: waitAfter(elapsedOf(context)) };
    if (seen === 'present') found.push(identifier);
  }
  if (found.length === 0) return { state: 'absent' };
  const elapsedMs = elapsedOf(context);
  const leftMs = confirm.within_seconds * 1000 - elapsedMs;
  return leftMs <= 0 ? { state: 'present', found } : { state: 'later', afterMs: Math.min(leftMs, waitAfter(elapsedMs)) };
}

const waitAfter = (elapsedMs: number): number => Math.min(lastWaitMs, Math.max(firstWaitMs, 3 * elapsedMs));

function elapsedOf(context: EraseContext): number {
  // Without a cursor nothing says when the erasure ended; the request's receipt is the latest start that is certain.
  return Math.max(0, context.now() - (parseCursor(context.cursor)?.at ?? context.receivedAt));
}

async function ask(context: EraseContext, system: System, confirm: Extract<NonNullable<Declaration['confirm']>, { by: 'request' }>, identifier: Identifier): Promise<'absent' | 'present' | 'later'> {
  const request = renderRequest(system.declaration.base_url, confirm.request, identifierValues(system.declaration, identifier));
  const answer = await system.send(context, request);
  const rule = firstFit(confirm.answers, answer);
  if (rule === undefined) throw unexpected(answer, context.now());
  return rule.is;
}
