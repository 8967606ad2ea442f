import { restrictingRights, type Outcome } from '../../contract/outcomes.ts';
import type { OpenVault, VaultIdentifier } from '../identity/index.ts';
import type { RequestCore } from '../requests/index.ts';
import type { TaskRow } from './task-store.ts';

/** Outcomes by which somebody decided, or a system showed, that an identifier was the person's. */
const showing: readonly Outcome[] = ['erased', 'anonymised', 'already_absent', 'retained', 'corrected', 'done_manually'];

/** What is proven to be the person's, and what was dealt with as theirs. What a person left out may be somebody else's. */
export function dealtWithOf(vault: OpenVault, tasks: readonly TaskRow[]): readonly VaultIdentifier[] {
  const shown = new Set(tasks.flatMap((task) => (task.outcome !== null && showing.includes(task.outcome) ? [task.identifier_id] : [])));
  return vault.identifiers.filter((each) => each.confidence >= 1 || shown.has(each.id));
}

/** Whom a right holds for: what is proven, or was given by somebody whom an operator knows; what may be somebody else's must not keep that other one from anything. */
export const restrictedOf = (request: RequestCore, vault: OpenVault): readonly VaultIdentifier[] =>
  vault.identifiers.filter((each) => each.confidence >= 1 || (request.verified_by === 'operator' && each.foundBy === 'given'));

/** What others may be told of whom a request is about. */
export const tellableOf = (request: RequestCore, vault: OpenVault, tasks: readonly TaskRow[]): readonly VaultIdentifier[] =>
  restrictingRights.includes(request.request_right) ? restrictedOf(request, vault) : dealtWithOf(vault, tasks);
