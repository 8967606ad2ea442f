import { formatId } from '../../contract/ids.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import { isoTime } from '../../platform/clock.ts';
import { tablesOf } from '../../platform/db/database.ts';
import type { NewIdentifier, OpenVault } from '../identity/index.ts';
import { lockRequest, moveRequest, type RequestCore, type RequestTables } from '../requests/index.ts';
import { plainIdentifier } from './plain-identifier.ts';
import { addPlannedTasks } from './plan-request.ts';
import type { OrchestrationDeps } from './deps.ts';

/** Rounds of look-ups after which what is found is taken as all there is: a person known under ten names in a chain is an error. */
const roundsMax = 8;
/** How long all look-ups of one round may take. */
const roundMs = 90_000;

/**
 * Closes over a person's identifiers: through the imported mapping table and every connection that can look a person up, until nothing new
 * appears; then plans. What a round found is stored before the next one, so a crash repeats a round of reading at the most.
 * Throws what a connection threw, so that the caller tries again later or asks a person.
 */
export async function resolveRequest(deps: OrchestrationDeps, request: RequestCore): Promise<void> {
  for (let round = 0; round < roundsMax; round += 1) {
    const vault = await deps.vault.unlock(request.id);
    const found = [...(await throughMapping(deps, vault)), ...(await throughConnections(deps, vault))];
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

async function throughMapping(deps: OrchestrationDeps, vault: OpenVault): Promise<readonly NewIdentifier[]> {
  const closure = await deps.lookupMapping(vault.identifiers);
  return closure.identifiers.map((each) => ({ ...each, foundBy: 'mapping', confidence: 1 }));
}

async function throughConnections(deps: OrchestrationDeps, vault: OpenVault): Promise<readonly NewIdentifier[]> {
  const signal = AbortSignal.timeout(roundMs);
  const answers = await Promise.all(
    deps.connections.all.map(async (connection) => {
      const known = vault.identifiers.filter((each) => connection.capabilities.locates.includes(each.kind));
      if (known.length === 0) return [];
      const context = connection.context({ signal, stepEndsAt: deps.clock.now() + roundMs });
      const { found, knows } = await connection.connection.locate(context, known.map((each) => plainIdentifier(each)));
      const foundBy = `connection:${connection.name}`;
      const seenIn = [connection.name];
      const seen = knows.map((identifier): NewIdentifier => ({ ...identifier, foundBy, confidence: 1, seenIn }));
      const fresh = found.map((each): NewIdentifier => ({ ...each.identifier, foundBy, confidence: each.confidence, seenIn, ...viaOf(vault, each.via) }));
      return [...seen, ...fresh];
    }),
  );
  return answers.flat();
}

function viaOf(vault: OpenVault, via: Identifier): Pick<NewIdentifier, 'via'> {
  const known = vault.identifiers.find((each) => each.kind === via.kind && each.value === via.value);
  return known === undefined ? {} : { via: known.id };
}
