import { z } from 'zod';
import { createApiClient, readAnswer } from './api-client.ts';
import { print, printJson, type CliContext, type JsonFlag } from './context.ts';
import { requestPath } from './request-id.ts';

const clockSchema = z.object({
  title: z.string(),
  law: z.string(),
  law_version: z.string(),
  grade: z.string(),
  right: z.string(),
  chosen_because: z.string(),
  received_at: z.string(),
  verified_at: z.string().nullable(),
  dates: z.array(z.object({ name: z.string(), at: z.string(), done_at: z.string().nullable(), steps: z.array(z.object({ what: z.string(), source: z.string(), to: z.string() })) })),
  pauses: z.array(z.object({ condition: z.string(), from: z.string(), to: z.string().nullable() })),
  extended: z.object({ at: z.string(), reason_code: z.string() }).nullable(),
  not_relied_on: z.array(z.object({ law: z.string(), due_at: z.string() })),
});

/** Prints a request's clock, as the server answers it: each date, and under it how it came to be. */
export function printClock(context: CliContext, flags: JsonFlag, answer: unknown): void {
  if (flags.json) {
    printJson(context, answer);
    return;
  }
  const clock = readAnswer(clockSchema, answer);
  print(
    context,
    `${clock.title} (${clock.law}, pack of ${clock.law_version}, grade ${clock.grade}): ${clock.chosen_because}`,
    `received ${clock.received_at}${clock.verified_at === null ? '' : `, verified ${clock.verified_at}`}`,
    ...clock.dates.flatMap((date) => ['', `${date.name.padEnd(16)} ${date.at}${date.done_at === null ? '' : `  done ${date.done_at}`}`, ...date.steps.map((step) => `  ${step.to}  ${step.what} [${step.source}]`)]),
    ...clock.pauses.map((pause) => `paused for ${pause.condition} from ${pause.from} to ${pause.to ?? 'now'}`),
    ...(clock.extended === null ? [] : [`extended ${clock.extended.at} for ${clock.extended.reason_code}`]),
    ...clock.not_relied_on.map((each) => `not relied on, a draft: ${each.law} would give ${each.due_at}`),
  );
}

/** Calls one of the actions on a request's clock, and shows the clock as it is then. */
export async function actOnClock(context: CliContext, flags: JsonFlag, id: string, action: 'extend' | 'pause' | 'resume' | 'appeal' | 'appeal/decision', body: object = {}): Promise<void> {
  printClock(context, flags, await createApiClient(context).post(`${requestPath(id)}/${action}`, body));
}
