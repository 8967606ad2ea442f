import { createHmac } from 'node:crypto';
import type { EraseContext, Json, RequestFacts } from '../../connector-kit/index.ts';
import { formatId } from '../../contract/ids.ts';
import type { OpenVault } from '../identity/index.ts';
import type { RequestCore } from '../requests/index.ts';
import type { ClaimedStep } from './claim-step.ts';
import type { OrchestrationDeps } from './deps.ts';
import { plainIdentifier } from './plain-identifier.ts';
import { provenOf } from './resolve-request.ts';
import type { TaskRow } from './task-store.ts';

/** How long a step may work before it must hand back its cursor; short, so that a worker can be stopped. */
const stepMs = 20_000;

/** What a step is of. */
export type StepOf = Pick<ClaimedStep, 'task' | 'request' | 'connection' | 'earlierJobs'>;

/** What a task's cursor is sealed for. */
export const cursorContextOf = (task: Pick<TaskRow, 'id'>): string => `cursor:${task.id}`;

/** What a connector is told of a task, but for the ways to keep something. */
export function contextOf(deps: OrchestrationDeps, { task, request, connection, earlierJobs }: StepOf, vault: OpenVault, signal: AbortSignal): Omit<EraseContext, 'save' | 'worklist'> {
  const identifier = vault.identifiers.find((each) => each.id === task.identifier_id);
  if (identifier === undefined) throw new Error('A task names an identifier that the vault does not hold');
  const openCursor = (sealed: Buffer | null): Json => (sealed === null ? null : (JSON.parse(vault.open(sealed, cursorContextOf(task)).toString('utf8')) as Json));
  return {
    ...connection.context({ signal, stepEndsAt: deps.clock.now() + stepMs }),
    identifier: plainIdentifier(identifier),
    identifiers: vault.identifiers.map((each) => plainIdentifier(each)),
    proven: provenOf(vault).map((each) => plainIdentifier(each)),
    action: task.action === 'anonymise' ? 'anonymise' : 'erase',
    seenHere: task.seen_here,
    attempt: task.attempt,
    request: factsOf(request),
    taskId: formatId('task', task.id),
    earlierJobs,
    receivedAt: request.received_at.getTime(),
    cursor: openCursor(task.cursor),
    previous: openCursor(task.cursor_before),
    // Keyed by the nonce, so that the key tells the vendor nothing and dies with the data key.
    idempotencyKey: (part, generation = 0) => createHmac('sha256', vault.nonce).update(`${task.id}:${part}:${generation}`, 'utf8').digest('hex'),
  };
}

/** What a system may be told of the request. */
function factsOf(request: RequestCore): RequestFacts {
  return {
    id: formatId('request', request.id),
    source: request.source,
    law: request.law,
    ...(request.jurisdiction === null ? {} : { jurisdiction: request.jurisdiction }),
    verifiedBy: request.verified_by ?? 'source',
  };
}
