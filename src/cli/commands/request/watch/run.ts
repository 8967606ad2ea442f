import { createApiClient } from '../../../api-client.ts';
import { exitCodes, print, type CliContext, type JsonFlag } from '../../../context.ts';
import { followRequest, type FollowedRequest } from '../../../follow-request.ts';
import { createLiveLines } from '../../../terminal/live-lines.ts';
import { outcomeTable, requestLine, residueLines, taskLines } from '../../../terminal/task-lines.ts';

/** How often the elapsed time is drawn again when nothing else changed. */
const tickMs = 200;

const waitsForPerson = ({ request }: FollowedRequest): boolean => request.status === 'escalated';

/** Follows a request live, and ends with the table of outcomes. */
export async function run(this: CliContext, flags: JsonFlag, id: string): Promise<void> {
  const api = createApiClient(this);
  const { stdout } = this.process;
  const live = createLiveLines(stdout);
  let last: FollowedRequest | undefined;
  const draw = (): void => {
    if (last === undefined) return;
    const { request, tasks } = last;
    const until = request.closed_at === null ? this.now() : Date.parse(request.closed_at);
    const head = stdout.isTTY === true ? requestLine(request, tasks, until - Date.parse(request.received_at)) : `${request.reference}  ${request.status}`;
    live.draw([head, ...taskLines(tasks)]);
  };
  const ticking = !flags.json && stdout.isTTY === true ? setInterval(draw, tickMs) : undefined;
  try {
    last = await followRequest(
      api,
      id,
      (followed) => {
        last = followed;
        if (flags.json) stdout.write(`${JSON.stringify(followed)}\n`);
        else draw();
      },
      { until: waitsForPerson },
    );
  } finally {
    clearInterval(ticking);
    live.end();
  }
  if (waitsForPerson(last)) this.process.exitCode = exitCodes.found;
  if (flags.json) return;
  print(this, '', ...outcomeTable(last.tasks), ...residueLines(last.tasks), '', conclusion(last, id));
}

function conclusion({ request }: FollowedRequest, id: string): string {
  if (request.status === 'escalated') return `Waits for a person: quittance manual-task list --request ${id}`;
  if (request.status === 'closed') return `Closed: ${request.verdict ?? ''}. The certificate: quittance certificate save ${id} certificate.json`;
  return `Ended: ${request.status}`;
}
