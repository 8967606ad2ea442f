import { sql } from 'kysely';
import type { StoredWorkItem, Worklist } from '../../connector-kit/index.ts';
import type { TaskId } from '../../contract/ids.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import type { OpenVault } from '../identity/index.ts';
import type { OrchestrationTables } from './tables.ts';

/** The longest reference kept, so that no vendor can fill the table by one object. */
const refLengthMax = 500;

/** Thrown inside a step whose task another worker has taken over: whatever it wanted to write is not written. */
export class FencedOut extends Error {
  constructor() {
    super('Another worker holds this task now');
    this.name = 'FencedOut';
  }
}

/** Makes the durable list of one task's collected objects; every write is refused once another worker holds the task. */
export function createWorklist(database: Database, vault: OpenVault, taskId: TaskId, epoch: number, now: () => number): Worklist {
  const context = `work_item:${taskId}`;
  const fenced = async (work: (tx: Tx) => Promise<void>): Promise<void> =>
    database.transaction(async (tx) => {
      const held = await tablesOf<OrchestrationTables>(tx).selectFrom('task').select('id').where('id', '=', taskId).where('epoch', '=', epoch).forUpdate().executeTakeFirst();
      if (held === undefined) throw new FencedOut();
      await work(tx);
    });
  return {
    add: async (items) => {
      if (items.length === 0) return;
      const rows = items.map((item) => {
        if (item.ref.length > refLengthMax) throw new Error(`A collected reference is longer than ${refLengthMax} characters`);
        return {
          task_id: taskId,
          type: item.type,
          ref_hash: vault.mac(`${context}:${item.type}:${item.ref}`),
          sealed: vault.seal(Buffer.from(item.ref, 'utf8'), context),
        };
      });
      await fenced(async (tx) => {
        await tablesOf<OrchestrationTables>(tx)
          .insertInto('work_item')
          .values(rows)
          .onConflict((conflict) => conflict.columns(['task_id', 'ref_hash']).doNothing())
          .execute();
      });
    },
    take: async (limit) => {
      const rows = await database
        .read<OrchestrationTables>()
        .selectFrom('work_item')
        .select(['ordinal', 'type', 'sealed'])
        .where('task_id', '=', taskId)
        .where('state', '=', 'open')
        .where((or) => or.or([or('due_at', 'is', null), or('due_at', '<=', new Date(now()))]))
        .orderBy('ordinal')
        .limit(limit)
        .execute();
      return rows.map((row): StoredWorkItem => ({ ordinal: row.ordinal, type: row.type, ref: vault.open(row.sealed, context).toString('utf8') }));
    },
    settle: async (ordinals, how) => {
      if (ordinals.length === 0) return;
      await fenced(async (tx) => {
        await tablesOf<OrchestrationTables>(tx).updateTable('work_item').set({ state: how }).where('task_id', '=', taskId).where('ordinal', 'in', [...ordinals]).execute();
      });
    },
    defer: async (ordinal, afterMs) => {
      await fenced(async (tx) => {
        await tablesOf<OrchestrationTables>(tx)
          .updateTable('work_item')
          .set({ due_at: new Date(now() + afterMs) })
          .where('task_id', '=', taskId)
          .where('ordinal', '=', ordinal)
          .execute();
      });
    },
    summary: async () => {
      const rows = await sql<{ type: string; state: string; count: number; deferred: number; next_due: Date | null }>`
        SELECT type, state, count(*)::int AS count, count(*) FILTER (WHERE due_at > ${new Date(now())})::int AS deferred, min(due_at) AS next_due
        FROM work_item WHERE task_id = ${taskId} GROUP BY type, state`.execute(database.read<OrchestrationTables>());
      const counts = (state: string): Record<string, number> => Object.fromEntries(rows.rows.filter((row) => row.state === state).map((row) => [row.type, row.count]));
      const open = rows.rows.filter((row) => row.state === 'open');
      const due = open.flatMap((row) => (row.next_due === null ? [] : [row.next_due.getTime()]));
      return {
        open: open.reduce((sum, row) => sum + row.count, 0),
        deferred: open.reduce((sum, row) => sum + row.deferred, 0),
        deleted: counts('deleted'),
        absent: counts('absent'),
        ...(due.length === 0 ? {} : { nextDueMs: Math.max(0, Math.min(...due) - now()) }),
      };
    },
  };
}
