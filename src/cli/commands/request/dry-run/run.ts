import { createApiClient, readAnswer } from '../../../api-client.ts';
import { dryRunSchema, taskListSchema, type DryRunItem } from '../../../api-schemas.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { requestPath } from '../../../request-id.ts';
import { renderTable } from '../../../terminal/table.ts';

/** Prints what a request's erasing tasks would do. Ends with 1 where a system that can tell did not answer: what is printed is not the whole then. */
export async function run(this: CliContext, flags: JsonFlag, id: string): Promise<void> {
  const api = createApiClient(this);
  const answer = await api.post(`${requestPath(id)}/dry-run`, {});
  const { items } = readAnswer(dryRunSchema, answer);
  if (flags.json) printJson(this, answer);
  else if (items.length === 0) print(this, 'Nothing is left to be erased: the plan has no erasing task that is not over.');
  else {
    const actions = new Map(readAnswer(taskListSchema, await api.get(`${requestPath(id)}/tasks`)).items.map((task) => [task.id, task.action]));
    const rows = items.map((each) => [each.system, actions.get(each.id) ?? '–', each.identifier.kind, wouldDo(each), stays(each)]);
    print(this, ...renderTable(['system', 'action', 'identifier', 'would change', 'would stay'], rows), '', 'Nothing was changed.');
  }
  if (items.some(({ result }) => result === 'failed')) this.process.exitCode = exitCodes.failed;
}

function wouldDo({ result, counts, error_code: code }: DryRunItem): string {
  switch (result) {
    case 'counted':
      return list(Object.entries(counts).map(([what, count]) => `${what} ${count}`)) || 'nothing: it holds nothing under this identifier';
    case 'unknown':
      return 'cannot be told: the system has no way to look without erasing';
    case 'failed':
      return `cannot be told: the system did not answer (${code ?? 'no code'})`;
    default:
      return result satisfies never;
  }
}

const stays = ({ residue }: DryRunItem): string => list(residue.map(({ what, why, count }) => `${what}${count === undefined ? '' : ` ${count}`} (${why})`)) || '–';
const list = (parts: readonly string[]): string => parts.join(', ');
