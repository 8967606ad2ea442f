import { isoTime } from '../../platform/clock.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import type { OpenVault } from '../identity/index.ts';
import { isTold } from '../notifications/index.ts';
import { outsideId, type RequestCore } from '../requests/index.ts';
import type { OrchestrationDeps } from './deps.ts';
import { changedSystems, restrictedSystems } from './domain/disclosed.ts';
import { openManualTask } from './manual-tasks.ts';
import { restrictedOf } from './of-the-person.ts';
import type { OrchestrationTables } from './tables.ts';
import type { TaskRow } from './task-store.ts';

/** Systems whose recipients only a person can tell, and why. */
interface LeftToPerson {
  readonly system: string;
  readonly why: 'not_declared' | 'not_searched';
}

/**
 * Has each recipient to whom the person's data was disclosed told of an erasure, a correction or a restriction (Art. 19 GDPR), in the transaction that closes its request. Each is told once of a request, however often that
 * closes. Who is not declared, and the recipients of a system of which nobody can see whether it has a restricted person, are given to a person: told for nothing, they would learn of somebody whom they never
 * heard of.
 */
export async function tellRecipients(deps: OrchestrationDeps, tx: Tx, request: RequestCore, vault: OpenVault, tasks: readonly TaskRow[]): Promise<void> {
  const { request_right: right } = request;
  if (!isTold(right)) return;
  const isRestricting = right === 'restriction';
  const restricted = isRestricting ? restrictedOf(request, vault) : [];
  if (isRestricting && restricted.length === 0) return;
  const { seen, unknown } = isRestricting ? restrictedSystems(deps.connections.all, restricted, tasks) : { seen: changedSystems(tasks), unknown: [] };
  const { mailed, undeclared } = deps.recipients.of(seen);
  for (const recipient of mailed) {
    await deps.notify(tx, { requestId: request.id, template: 'recipient', recipient: `recipient:${recipient.code}`, occasion: right });
    if (isRestricting) await deps.restrictions.noteTold(tx, right, restricted.filter((each) => recipient.identifiers.includes(each.kind)), recipient.code);
  }
  const isToldElsewhere = (system: string): boolean => {
    const { mailed: there, undeclared: unnamed } = deps.recipients.of([system]);
    return unnamed.length === 0 && there.every((each) => mailed.includes(each));
  };
  const left: readonly LeftToPerson[] = [
    ...undeclared.map((system) => ({ system, why: 'not_declared' as const })),
    ...unknown.filter((system) => !isToldElsewhere(system)).map((system) => ({ system, why: 'not_searched' as const })),
  ];
  await leaveToPerson(deps, tx, request, left, tasks);
}

/** Opens a manual task for who cannot be told, unless a person has dealt with it and nothing has changed there since. */
async function leaveToPerson(deps: OrchestrationDeps, tx: Tx, request: RequestCore, left: readonly LeftToPerson[], tasks: readonly TaskRow[]): Promise<void> {
  const trx = tablesOf<OrchestrationTables>(tx);
  const before = await trx.selectFrom('manual_task').select('opened_at').where('request_id', '=', request.id).where('reason_code', '=', 'RECIPIENT_NOT_TOLD').where('settled_how', 'in', ['done_manually', 'skipped_by_operator']).orderBy('opened_at', 'desc').limit(1).executeTakeFirst();
  const isNew = ({ system }: LeftToPerson): boolean => before === undefined || tasks.some((task) => task.connection === system && task.settled_at !== null && task.settled_at > before.opened_at);
  const fresh = left.filter(isNew);
  if (fresh.length === 0) return;
  const about = { type: 'recipient.left_to_person', at: isoTime(deps.clock.now()), actor: { role: 'system' }, request_id: outsideId(request.id), right: request.request_right } as const;
  for (const { system, why } of fresh) await deps.record(tx, { ...about, system, reason_code: why });
  await openManualTask(deps, tx, { requestId: request.id, taskId: null, code: 'RECIPIENT_NOT_TOLD' });
}
