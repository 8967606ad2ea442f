import { formatId } from '../../contract/ids.ts';
import type { Identifier, IdentifierKind } from '../../contract/identifiers.ts';
import { isoTime } from '../../platform/clock.ts';
import { Failure } from '../../platform/failure.ts';
import { tablesOf } from '../../platform/db/database.ts';
import type { NewIdentifier, OpenVault, VaultIdentifier } from '../identity/index.ts';
import { lockRequest, moveRequest, type RequestCore, type RequestTables } from '../requests/index.ts';
import { plainIdentifier } from './plain-identifier.ts';
import { addPlannedTasks } from './plan-request.ts';
import type { OrchestrationDeps } from './deps.ts';
import { contactKinds, doubtful } from './domain/doubt.ts';

/** Rounds of look-ups after which a person looks at what is found: somebody known under so many names in a chain is likely more than one. */
const roundsMax = 8;
/** How long all look-ups of one round may take. */
const roundMs = 90_000;

/**
 * Closes over a person's identifiers: through the imported mapping table and every connection that can look a person up, until nothing new
 * appears; then plans. What a round found is stored before the next one, so a crash repeats a round of reading at the most.
 * Throws what a connection threw, so that the caller tries again later or asks a person.
 */
export async function resolveRequest(deps: OrchestrationDeps, request: RequestCore): Promise<void> {
  for (let round = 0; ; round += 1) {
    if (round === roundsMax) throw new Failure('SUBJECT_AMBIGUOUS', `After ${roundsMax} rounds of look-ups there are still new identifiers; somebody else's may be among them`);
    const vault = await deps.vault.unlock(request.id);
    const found = [...(await throughMapping(deps, vault)), ...(await throughConnections(deps, request, vault))];
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
    const count = await addPlannedTasks(deps, tx, request.id);
    // No system at all was asked: that is a mistake in the configuration, and not a person of whom nothing is held.
    if (count === 0) throw new Failure('UNSUPPORTED', 'There is no connection that this request could be carried out at');
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
function provenOf(vault: OpenVault): readonly VaultIdentifier[] {
  return vault.identifiers.filter((each) => each.confidence >= 1);
}

/** Kinds of which a person has one in a table of people: two of them mean two people, joined by something that they share. */
const ownKinds: readonly IdentifierKind[] = ['email', 'user_id', 'stripe_customer'];

async function throughMapping(deps: OrchestrationDeps, vault: OpenVault): Promise<readonly NewIdentifier[]> {
  const proven = provenOf(vault);
  const closure = await deps.lookupMapping(proven);
  const values = (kind: IdentifierKind): number => new Set([...proven, ...closure.identifiers].filter((each) => each.kind === kind).map((each) => each.value)).size;
  const confidence = ownKinds.some((kind) => values(kind) > 1) ? doubtful : 1;
  return closure.identifiers.map((each) => ({ ...each, foundBy: 'mapping', confidence }));
}

async function throughConnections(deps: OrchestrationDeps, request: RequestCore, vault: OpenVault): Promise<readonly NewIdentifier[]> {
  const signal = AbortSignal.timeout(roundMs);
  const proven = provenOf(vault);
  const answers = await Promise.all(
    deps.connections.all.map(async (connection) => {
      const known = proven.filter((each) => connection.capabilities.locates.includes(each.kind));
      if (known.length === 0) return [];
      const context = connection.context({ signal, stepEndsAt: deps.clock.now() + roundMs });
      const { found, knows } = await connection.connection.locate(context, known.map((each) => plainIdentifier(each)));
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
    }),
  );
  return answers.flat();
}

function viaOf(vault: OpenVault, via: Identifier): Pick<NewIdentifier, 'via'> {
  const known = vault.identifiers.find((each) => each.kind === via.kind && each.value === via.value);
  return known === undefined ? {} : { via: known.id };
}
