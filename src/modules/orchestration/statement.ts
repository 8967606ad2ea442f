import type { Confirmation, Counts, Outcome, Residue, Verdict } from '../../contract/outcomes.ts';
import { formatId } from '../../contract/ids.ts';
import type { RequestCore } from '../requests/index.ts';
import type { ConfiguredConnection } from '../connections/index.ts';
import type { OrchestrationPolicy } from './deps.ts';
import type { TaskRow } from './task-store.ts';

/** What a certificate says of one task. */
export interface SystemStatement {
  readonly system: string;
  readonly connector: string;
  readonly action: string;
  readonly outcome: Outcome;
  readonly confirmation: Confirmation | null;
  readonly counts: Counts;
  /** NIST SP 800-88 Rev. 2; null where nothing was erased by Quittance. */
  readonly method: string | null;
  readonly identifier: { readonly kind: string; readonly commitment: string };
  readonly residue: readonly Residue[];
  readonly proof: Readonly<Record<string, string | number | boolean>>;
  readonly settled_at: string;
}

/** What a certificate states of a closed request: no identifier of the person, only keyed commitments. */
export interface Statement {
  readonly request: { readonly id: string; readonly reference: string };
  readonly right: string;
  readonly law: string;
  readonly jurisdiction: string | null;
  readonly controller: { readonly name: string; readonly contact: string };
  readonly received_at: string;
  readonly verified_at: string | null;
  readonly completed_at: string;
  readonly due_at: string;
  readonly verdict: Verdict;
  readonly systems: readonly SystemStatement[];
}

/** Outcomes that something was destroyed for. */
const destroyed: readonly Outcome[] = ['erased', 'anonymised'];

/** Makes the statement of a request from its settled tasks. */
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
