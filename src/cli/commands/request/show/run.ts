import { createApiClient, readAnswer } from '../../../api-client.ts';
import { requestSchema, taskListSchema, type Request } from '../../../api-schemas.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { requestPath } from '../../../request-id.ts';
import { outcomeTable, residueLines } from '../../../terminal/task-lines.ts';

/** Shows a request with its tasks. */
export async function run(this: CliContext, flags: JsonFlag, id: string): Promise<void> {
  const api = createApiClient(this);
  const [request, tasks] = await Promise.all([api.get(requestPath(id)), api.get(`${requestPath(id)}/tasks`)]);
  if (flags.json) {
    printJson(this, { ...(request as object), tasks: (tasks as { items: unknown }).items });
    return;
  }
  const { items } = readAnswer(taskListSchema, tasks);
  print(this, ...facts(readAnswer(requestSchema, request)), '', ...(items.length === 0 ? ['No tasks yet.'] : [...outcomeTable(items), ...residueLines(items)]));
}

function facts(request: Request): readonly string[] {
  const rows: readonly (readonly [string, string | null])[] = [
    ['request', `${request.id} (${request.reference})`],
    ['status', request.status],
    ['verdict', request.verdict],
    ['reason', request.reason_code],
    ['same as', request.duplicate_of],
    ['right', `${request.right}, ${request.law}`],
    ['source', request.source],
    ['received', request.received_at],
    ['verified', request.verified_at],
    ['due', request.due_at],
    ['closed', request.closed_at],
  ];
  return rows.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(9)} ${value}`]));
}
