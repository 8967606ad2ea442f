import { z } from 'zod';
import { acceptedSchema, planSchema } from '../api-schemas.ts';
import { readAnswer, type ApiClient } from '../api-client.ts';
import { followRequest, type FollowedRequest } from '../follow-request.ts';
import { requestPath } from '../request-id.ts';
import { createLiveLines } from '../terminal/live-lines.ts';
import { renderPlan } from '../terminal/plan-graph.ts';
import { outcomeTable, requestLine, residueLines, taskLines } from '../terminal/task-lines.ts';
import { demoCases, signWebhook, type DemoCase } from './demo-people.ts';
import type { Expectations } from './expectations.ts';

/** One of the demo's requests and how it ended. */
export interface PlayedRequest extends FollowedRequest {
  readonly demo: DemoCase;
}

/** What playing needs. */
export interface PlayOptions {
  /** The secret of the webhook source. */
  readonly secret: string;
  readonly expect: Expectations['expect'];
  readonly signal: AbortSignal;
}

/** How often the elapsed time is drawn again. */
const tickMs = 200;

/** Sends the three signed webhooks, follows all three requests live, and prints a plan and the table of outcomes of each. */
export async function playRequests(api: ApiClient, options: PlayOptions): Promise<readonly PlayedRequest[]> {
  const opened = await Promise.all(demoCases.map(async (demo) => ({ demo, id: await send(api, demo, options.secret) })));
  process.stdout.write(`Three signed webhooks were accepted:\n${opened.map(({ demo, id }) => `  ${id}  ${demo.title}: ${demo.person.behaviour}`).join('\n')}\n\n`);
  const played = await followAll(api, opened, options.signal);
  // Of the others the identifiers are destroyed soon after closure, so only this one can still show how each was found.
  const open = played.find(({ demo }) => demo.endsWith === 'escalated');
  if (open !== undefined) {
    const plan = readAnswer(planSchema, await api.get(`${requestPath(open.request.id)}/plan`));
    process.stdout.write(`\nThe plan of ${open.request.reference} (${open.demo.title})\n\n${renderPlan(plan).join('\n')}\n`);
  }
  for (const each of played) {
    const { request, tasks, demo } = each;
    process.stdout.write(`\n${request.reference} (${demo.title}): ${request.status}${request.verdict === null ? '' : `, ${request.verdict}`}\n\n${outcomeTable(tasks).join('\n')}\n`);
    if (each === played[0]) process.stdout.write(`${residueLines(tasks).join('\n')}\n`);
    options.expect(`${demo.title}: ends ${demo.endsWith}`, request.status === demo.endsWith, request.verdict ?? request.status);
    if (demo.endsWith === 'closed') expectClosed(each, options.expect);
    else expectLiesFound(each, options.expect);
  }
  return played;
}

async function send(api: ApiClient, demo: DemoCase, secret: string): Promise<string> {
  const { email, phone, stripeCustomerId } = demo.person;
  const body = { email, phone, stripe_customer_id: stripeCustomerId };
  const answer = await api.post('/v1/intake/website', body, signWebhook(secret, JSON.stringify(body), Date.now()));
  return readAnswer(acceptedSchema, answer).id;
}

async function followAll(api: ApiClient, opened: readonly { readonly demo: DemoCase; readonly id: string }[], signal: AbortSignal): Promise<readonly PlayedRequest[]> {
  const live = createLiveLines(process.stdout);
  const isTerminal = process.stdout.isTTY;
  const known = new Map<string, FollowedRequest>();
  const draw = (): void => {
    const lines = opened.flatMap(({ demo, id }) => {
      const followed = known.get(id);
      if (followed === undefined) return [];
      const { request, tasks } = followed;
      const until = request.closed_at === null ? Date.now() : Date.parse(request.closed_at);
      const head = isTerminal ? requestLine(request, tasks, until - Date.parse(request.received_at)) : `${request.reference}  ${request.status}`;
      // Elsewhere than on a terminal each line is printed once, so it must say of which request it is.
      return [`${head}  (${demo.title})`, ...taskLines(tasks).map((line) => (isTerminal ? line : `  ${request.reference}${line}`))];
    });
    live.draw(lines);
  };
  const ticking = isTerminal ? setInterval(draw, tickMs) : undefined;
  try {
    return await Promise.all(
      opened.map(async ({ demo, id }) => {
        const onChange = (followed: FollowedRequest): void => {
          known.set(id, followed);
          draw();
        };
        return { demo, ...(await followRequest(api, id, onChange, { signal, until: ({ request }) => request.status === 'escalated' })) };
      }),
    );
  } catch (error) {
    if (!signal.aborted) throw error;
    const stand = [...known.values()].map(({ request }) => `${request.reference} is ${request.status}`).join(', ');
    throw new Error(`The requests did not end in time: ${stand}`, { cause: error });
  } finally {
    clearInterval(ticking);
    live.end();
  }
}

/** Outcomes that count as the person's data being gone from a system, or never having been there. */
const goneOutcomes: readonly (string | null)[] = ['erased', 'anonymised', 'already_absent', 'nothing_matched'];

function expectClosed({ tasks, request, demo }: PlayedRequest, expect: Expectations['expect']): void {
  expect(`${demo.title}: every task is settled and none better than it was seen`, tasks.length > 0 && tasks.every((task) => task.status === 'settled' && goneOutcomes.includes(task.outcome)));
  const erasedIn = new Set(tasks.filter((task) => task.outcome === 'erased' && task.confirmation === 'verified_absent').map((task) => task.system));
  expect(`${demo.title}: erased, read back and absent in all three systems`, erasedIn.size === 3, [...erasedIn].join(', '));
  expect(`${demo.title}: what stays is named`, request.verdict === 'fulfilled_with_retention' && tasks.some((task) => task.residue.length > 0), request.verdict ?? 'no verdict');
}

function expectLiesFound({ tasks, request, demo }: PlayedRequest, expect: Expectations['expect']): void {
  const lies = new Set(tasks.filter((task) => task.status === 'manual' && task.error_code === 'STILL_PRESENT').map((task) => task.system));
  expect(`${demo.title}: STILL_PRESENT was found at every lying vendor`, lies.size === 3, [...lies].join(', '));
  expect(`${demo.title}: no verdict was given`, request.verdict === null, request.verdict ?? 'none');
}

/** The manual tasks of a request, as the API lists them. */
export async function manualTasksOf(api: ApiClient, id: string): Promise<number> {
  const answer = await api.get(`/v1/manual-tasks?request_id=${id}`);
  return readAnswer(z.object({ items: z.array(z.unknown()) }), answer).items.length;
}
