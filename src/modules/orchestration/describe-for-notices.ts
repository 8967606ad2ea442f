import type { ManualTaskId, RequestId } from '../../contract/ids.ts';
import type { Outcome } from '../../contract/outcomes.ts';
import type { Database } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import type { OpenVault, VaultIdentifier } from '../identity/index.ts';
import type { ClosureFacts, ManualTaskFacts } from '../notifications/index.ts';
import { findRequest, readCertificate, type RequestCore, type RequestTables } from '../requests/index.ts';
import { tellableOf } from './of-the-person.ts';
import { tasksOf } from './task-store.ts';
import type { OrchestrationTables } from './tables.ts';

/** The facts that notices to people are written from. */
export interface NoticeFacts {
  readonly referenceOf: (requestId: RequestId) => Promise<string>;
  /** Of what is in the vault of a request, what others may be told of whom it is about. */
  readonly ofThePerson: (requestId: RequestId, vault: OpenVault) => Promise<readonly VaultIdentifier[]>;
  readonly describeClosure: (requestId: RequestId) => Promise<ClosureFacts>;
  /** Undefined once the manual task is settled. */
  readonly describeManualTask: (manualTaskId: string) => Promise<ManualTaskFacts | undefined>;
}

/** Outcomes by which data went that a copy would have had. */
const gone: readonly Outcome[] = ['erased', 'anonymised', 'done_manually'];

/** The reference of the erasure that had begun when a copy was asked for; undefined where there was none, or it came to erase nothing. */
export async function erasedUnder(database: Database, request: RequestCore): Promise<string | undefined> {
  if (request.erased_under === null) return undefined;
  const other = await findRequest(database.read<RequestTables>(), request.erased_under);
  const tasks = await tasksOf(database.read<OrchestrationTables>(), request.erased_under);
  return tasks.some((task) => task.outcome !== null && gone.includes(task.outcome)) ? other?.reference : undefined;
}

/** Makes the reader of those facts. */
export function createNoticeFacts(database: Database): NoticeFacts {
  const find = async (id: RequestId): Promise<RequestCore> => {
    const request = await findRequest(database.read<RequestTables>(), id);
    if (request === undefined) throw new Failure('NOT_FOUND', 'There is no such request');
    return request;
  };
  return {
    referenceOf: async (id) => (await find(id)).reference,
    ofThePerson: async (id, vault) => tellableOf(await find(id), vault, await tasksOf(database.read<OrchestrationTables>(), id)),
    describeClosure: async (id) => {
      const request = await find(id);
      if (request.verdict === null || request.closed_at === null) throw new Failure('CONFLICT', 'The request is not closed');
      const tasks = await tasksOf(database.read<OrchestrationTables>(), id);
      return {
        reference: request.reference,
        right: request.request_right,
        verdict: request.verdict,
        closedAt: request.closed_at.toISOString(),
        tasks: tasks.flatMap((task) =>
          task.outcome === null ? [] : [{ system: task.connection, outcome: task.outcome, confirmation: task.confirmation ?? undefined, residue: task.residue }],
        ),
        erasedUnder: await erasedUnder(database, request),
        certificate: await readCertificate(database.read<RequestTables>(), id),
      };
    },
    describeManualTask: async (id) => {
      const db = database.read<OrchestrationTables>();
      const manual = await db.selectFrom('manual_task').select(['request_id', 'task_id', 'reason_code']).where('id', '=', id as ManualTaskId).where('settled_at', 'is', null).executeTakeFirst();
      if (manual === undefined) return undefined;
      const task = manual.task_id === null ? undefined : await db.selectFrom('task').select('connection').where('id', '=', manual.task_id).executeTakeFirst();
      return { reference: (await find(manual.request_id)).reference, reasonCode: manual.reason_code, system: task?.connection };
    },
  };
}
