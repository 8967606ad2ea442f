import { z } from 'zod';
import type { EraseResult, ExportContext } from '../../connector-kit/index.ts';
import type { Counts } from '../../contract/outcomes.ts';
import { Failure } from '../../platform/failure.ts';
import type { OpenVault } from '../identity/index.ts';
import type { ClaimedStep } from './claim-step.ts';
import type { OrchestrationDeps } from './deps.ts';
import { cursorContextOf } from './step-context.ts';
import { FencedOut } from './worklist.ts';

/** How far an export has come: where its system goes on, the place of its next page, and what was given so far. */
const cursorSchema = z.strictObject({ resume: z.json(), pages: z.int().min(0), counts: z.record(z.string(), z.int().min(0)) });

/** The name of a record type, as counts know it: a system may name its types as it likes. */
const codeOf = (type: string): string => (/^[a-z][a-z0-9_]{0,63}$/u.test(type) ? type : 'other');

/**
 * One step of an export: each page that the system gives is kept, sealed, before the next is asked for. A step that dies goes on from the last page
 * at which the system can be taken up; the pages after it are read again, and take the places of those that were kept before.
 */
export async function exportPerson(deps: OrchestrationDeps, { task, request, connection, epoch }: ClaimedStep, vault: OpenVault, context: Omit<ExportContext, 'cursor'>): Promise<EraseResult> {
  const { export: exporting } = connection.connection;
  if (exporting === undefined) throw new Failure('UNSUPPORTED', 'The system cannot give what it holds: it has to be done by hand, or left out');
  const kept = task.cursor === null ? undefined : cursorSchema.parse(JSON.parse(vault.open(task.cursor, cursorContextOf(task)).toString('utf8')));
  let pages = kept?.pages ?? 0;
  let counts: Counts = kept?.counts ?? {};
  for await (const page of exporting({ ...context, cursor: kept?.resume ?? null })) {
    if (page.records.length > 0) {
      const isKept = await deps.exports.addPage(vault, { requestId: request.id, taskId: task.id, connection: task.connection, ordinal: pages, epoch, records: page.records });
      if (!isKept) throw new FencedOut();
      pages += 1;
      for (const { type } of page.records) counts = { ...counts, [codeOf(type)]: (counts[codeOf(type)] ?? 0) + 1 };
    }
    context.signal.throwIfAborted();
    if (page.wait !== undefined) {
      const { resume, ...wait } = page.wait;
      return { state: 'wait', cursor: { resume, pages, counts }, ...wait };
    }
    if (page.resume !== undefined && context.shouldYield()) {
      return { state: 'continue', cursor: { resume: page.resume, pages, counts }, done: Object.values(counts).reduce((sum, count) => sum + count, 0) };
    }
  }
  // What an attempt before this one kept beyond the last page is of a longer answer that is not the answer any more.
  if (!(await deps.exports.dropPages({ requestId: request.id, taskId: task.id, epoch, from: pages }))) throw new FencedOut();
  return { state: 'done', outcome: pages === 0 ? 'nothing_matched' : 'exported', counts, residue: [] };
}
