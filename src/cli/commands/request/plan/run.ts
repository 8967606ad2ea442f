import { createApiClient, readAnswer } from '../../../api-client.ts';
import { planSchema, requestSchema } from '../../../api-schemas.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { requestPath } from '../../../request-id.ts';
import { renderPlan } from '../../../terminal/plan-graph.ts';

/** Draws a request's plan. */
export async function run(this: CliContext, flags: JsonFlag, id: string): Promise<void> {
  const api = createApiClient(this);
  const plan = await api.get(`${requestPath(id)}/plan`);
  if (flags.json) {
    printJson(this, plan);
    return;
  }
  const request = readAnswer(requestSchema, await api.get(requestPath(id)));
  const outcome = request.verdict === null ? `open, due on ${request.due_at.slice(0, 10)}` : request.verdict;
  print(this, `${request.id} (${request.reference}): ${request.status}`, '', ...renderPlan(readAnswer(planSchema, plan)), '', `Outcome: ${outcome}`);
}
