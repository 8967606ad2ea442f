import { Agent, fetch as undiciFetch } from 'undici';
import { apiKey, signedHeaders } from './config.ts';
import type { Planted } from './people.ts';

/** How long all requests of a run may take to be closed. */
const patienceMs = 900_000;
/** Between looks at what is closed: the times are read from the requests, so that a look may be late. */
const lookMs = 250;

const agent = new Agent({ keepAliveTimeout: 30_000, connections: 16 });

interface Seen {
  readonly id: string;
  readonly status: string;
  readonly verdict: string | null;
  readonly closed_at: string | null;
}

/** A request that was accepted: its id, and when the 202 came, in milliseconds since the epoch. */
export interface AcceptedRequest {
  readonly id: string;
  readonly at: number;
}

/** Sends a person's request over HTTP, as a signed webhook. */
export async function sendRequest(url: string, person: Planted): Promise<AcceptedRequest> {
  const body = JSON.stringify({ email: person.email, phone: person.phone, stripe_customer_id: person.customer });
  const answer = await undiciFetch(`${url}/v1/intake/crm`, { method: 'POST', headers: signedHeaders(body), body, dispatcher: agent });
  const text = await answer.text();
  if (answer.status !== 202) throw new Error(`A request was answered ${answer.status}: ${text}`);
  return { id: (JSON.parse(text) as { readonly id: string }).id, at: Date.now() };
}

async function newest(url: string, limit: number): Promise<readonly Seen[]> {
  const answer = await undiciFetch(`${url}/v1/privacy-requests?limit=${limit}`, { headers: { authorization: `Bearer ${apiKey}` }, dispatcher: agent });
  if (answer.status !== 200) throw new Error(`The list was answered ${answer.status}`);
  return ((await answer.json()) as { readonly items: readonly Seen[] }).items;
}

/** Waits until these requests, the newest, are closed, and gives when the last one was: by the servers' clock, which is this machine's. */
export async function untilClosed(url: string, ids: readonly string[]): Promise<number> {
  const end = performance.now() + patienceMs;
  const wanted = new Set(ids);
  for (;;) {
    const mine = (await newest(url, Math.min(100, ids.length))).filter(({ id }) => wanted.has(id));
    if (mine.length === Math.min(100, ids.length) && mine.every((each) => each.closed_at !== null)) {
      const bad = mine.find(({ verdict }) => verdict !== 'fulfilled' && verdict !== 'fulfilled_with_retention');
      if (bad !== undefined) throw new Error(`A request ended as ${bad.status}, ${bad.verdict ?? 'without verdict'}`);
      return Math.max(...mine.map((each) => Date.parse(each.closed_at ?? '')));
    }
    if (performance.now() > end) throw new Error(`After ${patienceMs / 1000} s not all requests are closed: ${JSON.stringify(mine.find((each) => each.closed_at === null))}`);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** Sends all these people's requests, so many at once, and gives the milliseconds from the first sent to the last closed. */
export async function settleAll(url: string, people: readonly Planted[], atOnce: number): Promise<number> {
  const queue = [...people];
  const ids: string[] = [];
  const start = Date.now();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) ids.push((await sendRequest(url, next)).id);
    }),
  );
  return (await untilClosed(url, ids)) - start;
}
