import { formatId } from '../../contract/ids.ts';
import type { Outcome, Verdict } from '../../contract/outcomes.ts';
import type { Statement } from '../../verify/index.ts';
import type { RequestCore } from '../requests/index.ts';
import type { ConfiguredConnection } from '../connections/index.ts';
import type { OrchestrationPolicy } from './deps.ts';
import type { TaskRow } from './task-store.ts';

/** Outcomes that something was destroyed for. */
const destroyed: readonly Outcome[] = ['erased', 'anonymised'];

/** Makes the statement that a request's certificate carries, from its settled tasks: no identifier of the person, only keyed commitments. */
export function makeStatement(
  request: RequestCore,
  tasks: readonly TaskRow[],
  verdict: Verdict,
  completedAt: Date,
  context: { readonly policy: OrchestrationPolicy; readonly connections: readonly ConfiguredConnection[] },
): Statement {
  return {
    request: { id: formatId('request', request.id), reference: request.reference },
    right: request.request_right,
    law: request.law,
    jurisdiction: request.jurisdiction,
    controller: context.policy.controller,
    received_at: request.received_at.toISOString(),
    verified_at: request.verified_at?.toISOString() ?? null,
    completed_at: completedAt.toISOString(),
    due_at: request.due_at.toISOString(),
    verdict,
    ...(request.systems === null ? {} : { limited_to: request.systems }),
    systems: tasks.map((task) => {
      if (task.outcome === null || task.settled_at === null) throw new Error('A statement is made before every task is settled');
      const sanitization = context.connections.find((each) => each.name === task.connection)?.capabilities.sanitization ?? null;
      return {
        system: task.connection,
        connector: task.connector,
        action: task.action,
        outcome: task.outcome,
        confirmation: task.confirmation,
        counts: task.counts,
        method: destroyed.includes(task.outcome) ? sanitization : null,
        identifier: { kind: task.identifier_kind, commitment: task.commitment },
        residue: task.residue,
        proof: task.proof,
        settled_at: task.settled_at.toISOString(),
      };
    }),
  };
}
