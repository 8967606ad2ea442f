import type { LocateResult } from '../../connector-kit/index.ts';
import type { ErrorCode } from '../../contract/errors.ts';
import { formatId } from '../../contract/ids.ts';
import type { Identifier, IdentifierKind } from '../../contract/identifiers.ts';
import { restrictingRights } from '../../contract/outcomes.ts';
import { isoTime } from '../../platform/clock.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import { tablesOf } from '../../platform/db/database.ts';
import type { ConfiguredConnection } from '../connections/index.ts';
import type { NewIdentifier, OpenVault, VaultIdentifier } from '../identity/index.ts';
import { lockRequest, moveRequest, type RequestCore, type RequestTables } from '../requests/index.ts';
import { plainIdentifier } from './plain-identifier.ts';
import { addPlannedTasks } from './plan-request.ts';
import { tasksOf } from './task-store.ts';
import type { OrchestrationTables } from './tables.ts';
import type { OrchestrationDeps } from './deps.ts';
import { contactKinds, doubtful } from './domain/doubt.ts';

/** Rounds of look-ups after which a person looks at what is found: somebody known under so many names in a chain is likely more than one. */
const roundsMax = 8;
/** How long all look-ups of one round may take. */
const roundMs = 90_000;
/** How long the others wait for a system that does not answer. */
export const patienceMs = 10 * 60_000;

/**
 * Closes over a person's identifiers: through the imported mapping table and every connection that can look a person up, until nothing new
 * appears; then plans. What a round found is stored before the next one, so a crash repeats a round of reading at the most.
 * A system that does not answer keeps the others waiting for some minutes only, and one that refuses us not at all: then the plan is made without
 * it, with a task that looks into it as soon as it can be. Throws what a connection threw, so that the caller tries again later or asks a person.
 */
export async function resolveRequest(deps: OrchestrationDeps, request: RequestCore): Promise<void> {
  const isPatient = deps.clock.now() - request.moved_at.getTime() < patienceMs;
  const unsearched = new Map<string, ErrorCode>();
  for (let round = 0; ; round += 1) {
    if (round === roundsMax) throw new Failure('SUBJECT_AMBIGUOUS', `After ${roundsMax} rounds of look-ups there are still new identifiers; somebody else's may be among them`);
    const vault = await deps.vault.unlock(request.id);
    const found = [...(await throughMapping(deps, vault)), ...(await throughConnections(deps, request, vault, { isPatient, unsearched }))];
    deps.boundary('request.located');
    const added = await deps.database.transaction(async (tx) => {
      const news = await deps.vault.add(tx, vault, found);
      if (news.length > 0) {
        const described = await deps.vault.describe(request.id, tx);
        await deps.record(tx, {
          type: 'request.identifier_found',
          at: isoTime(deps.clock.now()),
          actor: { role: 'system' },
          request_id: formatId('request', request.id),
          identifiers: described.filter((each) => news.includes(each.id)).slice(0, 200).map(({ kind, commitment, found_by }) => ({ kind, commitment, found_by })),
        });
      }
      return news.length;
    });
    if (added === 0) break;
  }
  deps.boundary('request.resolved');
  await deps.database.transaction(async (tx) => {
    const current = await lockRequest(tablesOf<RequestTables>(tx), request.id);
    if (current === undefined || current.status !== 'resolving') return;
    const now = deps.clock.now();
    await addPlannedTasks(deps, tx, request.id, { isLate: false, searches: [...unsearched.keys()].map((connection) => ({ connection })) });
    for (const [system, code] of unsearched) {
      await deps.record(tx, { type: 'request.not_searched', at: isoTime(now), actor: { role: 'system' }, request_id: formatId('request', request.id), system, error_code: code });
    }
    // Of a request that is planned once more, since an appeal was granted, most are there already.
    const count = (await tasksOf(tablesOf<OrchestrationTables>(tx), request.id)).length;
    // No system at all was asked: that is a mistake in the configuration, and not a person of whom nothing is held.
    if (count === 0 && !restrictingRights.includes(request.request_right)) throw new Failure('UNSUPPORTED', 'There is no connection that this request could be carried out at');
    await moveRequest(tx, deps, current, {
      to: 'planned',
      at: now,
      type: 'request.planned',
      entry: { counts: { tasks: count } },
      change: { planned_at: new Date(now), wake_at: new Date(now), attempt: 0 },
    });
  });
  deps.boundary('request.planned');
}

/** Only what is proven to be the person's own leads on to more; what is not waits for a person's approval as it is. */
export function provenOf(vault: OpenVault): readonly VaultIdentifier[] {
  return vault.identifiers.filter((each) => each.confidence >= 1);
}

/** Kinds of which a person has one in a table of people: two of them mean two people, joined by something that they share. */
const ownKinds: readonly IdentifierKind[] = ['email', 'user_id', 'stripe_customer'];

/** What the imported mapping table ties to what is proven, and to what was `found` just now and is as sure. */
export async function throughMapping(deps: OrchestrationDeps, vault: OpenVault, found: readonly NewIdentifier[] = []): Promise<readonly NewIdentifier[]> {
  const proven: readonly Identifier[] = [...provenOf(vault), ...found.filter((each) => each.confidence >= 1)];
  const closure = await deps.lookupMapping(proven);
  const values = (kind: IdentifierKind): number => new Set([...proven, ...closure.identifiers].filter((each) => each.kind === kind).map((each) => each.value)).size;
  const confidence = ownKinds.some((kind) => values(kind) > 1) ? doubtful : 1;
  return closure.identifiers.map((each) => ({ ...each, foundBy: 'mapping', confidence }));
}

/** Looks into every system at once. What cannot be looked into is put on the list of `unsearched`, unless there is still time to wait for it. */
async function throughConnections(
  deps: OrchestrationDeps,
  request: RequestCore,
  vault: OpenVault,
  state: { readonly isPatient: boolean; readonly unsearched: Map<string, ErrorCode> },
): Promise<readonly NewIdentifier[]> {
  const signal = AbortSignal.timeout(roundMs);
  const asked = deps.connections.all.filter(({ name }) => request.systems?.includes(name) ?? true);
  const answers = await Promise.all(
    asked.map(async (connection) => {
      const known = searchable(connection, vault);
      if (known.length === 0 || state.unsearched.has(connection.name)) return [];
      try {
        const answer = await connection.connection.locate(connection.context({ signal, stepEndsAt: deps.clock.now() + roundMs }), known);
        return readLookUp(connection, request, vault, answer);
      } catch (error) {
        if (!isFailure(error) || !isOfSystem(error.code) || (error.retry === 'later' && state.isPatient)) throw error;
        state.unsearched.set(connection.name, error.code);
        return [];
      }
    }),
  );
  return answers.flat();
}

/** What is wrong with a system or with our access to it, and says nothing of the person. */
const isOfSystem = (code: ErrorCode): boolean => code.startsWith('VENDOR_') || code.startsWith('CONNECTION_');

/** What a system can be asked for of a person: by what is proven to be theirs. */
export function searchable(connection: ConfiguredConnection, vault: OpenVault): readonly Identifier[] {
  return provenOf(vault).filter((each) => connection.capabilities.locates.includes(each.kind)).map((each) => plainIdentifier(each));
}

/** Turns what a look-up answered into identifiers, each with how it was found and how sure it is. */
export function readLookUp(connection: ConfiguredConnection, request: RequestCore, vault: OpenVault, { found, knows }: LocateResult): readonly NewIdentifier[] {
  const foundBy = `connection:${connection.name}`;
  const seenIn = [connection.name];
  const isTrusted = connection.capabilities.isIdentityMap && request.vouched;
  const seen = knows.map((identifier): NewIdentifier => ({ ...identifier, foundBy, confidence: 1, seenIn }));
  const fresh = found.map(({ identifier, via, confidence }): NewIdentifier => ({
    ...identifier,
    foundBy,
    confidence: contactKinds.includes(identifier.kind) && !isTrusted ? Math.min(doubtful, confidence) : confidence,
    seenIn,
    ...viaOf(vault, via),
  }));
  return [...seen, ...fresh];
}

function viaOf(vault: OpenVault, via: Identifier): Pick<NewIdentifier, 'via'> {
  const known = vault.identifiers.find((each) => each.kind === via.kind && each.value === via.value);
  return known === undefined ? {} : { via: known.id };
}
