import { setTimeout as pause } from 'node:timers/promises';
import { signedHeaders } from '../../support/quittance.ts';
import type { Person } from '../people.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { Accepted } from '../violations.ts';

/** How long a sender waits for an answer, and between tries. */
const answerMs = 5000;
const againMs = 300;

/** A message that somebody sends until it is answered with 2xx. */
interface Message {
  readonly person: Person;
  readonly id: string;
  readonly afterMs: number;
  /** How often it is sent once more although it was answered. */
  readonly extra: number;
}

/** Draws who sends what when: everybody asks once, some a second time, and some messages are sent again after their answer. */
export function drawMessages(random: SeededRandom, people: readonly Person[], withinMs: number): readonly Message[] {
  const message = (person: Person, afterMs: number): Message => ({ person, id: `msg_${random.bytes(8).toString('hex')}`, afterMs, extra: random.chance(0.2) ? 1 : 0 });
  return people.flatMap((person) => [message(person, random.int(withinMs)), ...(random.chance(0.1) ? [message(person, random.int(withinMs))] : [])]);
}

/** Sends messages as senders of webhooks do: with the same id until an answer came. Answers all that were accepted; a refusal (4xx) of a right message throws once `signal` ends it. */
export async function sendAll(messages: readonly Message[], url: () => string | undefined, accepted: Accepted[], signal: AbortSignal): Promise<void> {
  await Promise.all(messages.map(async (message) => sendUntilAnswered(message, url, accepted, signal)));
}

async function sendUntilAnswered(message: Message, url: () => string | undefined, accepted: Accepted[], signal: AbortSignal): Promise<void> {
  await pause(message.afterMs);
  let left = message.extra;
  let last = 'nobody there';
  while (!signal.aborted) {
    const base = url();
    const answer = base === undefined ? undefined : await send(base, message);
    if (answer !== undefined) last = String(answer.status);
    if (answer !== undefined && answer.status >= 200 && answer.status < 300 && answer.id !== undefined) {
      const { id } = answer;
      if (!accepted.some((each) => each.id === id)) accepted.push({ id, person: message.person });
      if (left === 0) return;
      left -= 1;
    }
    await pause(againMs);
  }
  throw new Error(`The message ${message.id} was never accepted; last: ${last}`);
}

async function send(base: string, message: Message): Promise<{ readonly status: number; readonly id: string | undefined } | undefined> {
  const body = JSON.stringify(message.person.request);
  try {
    const answer = await fetch(`${base}/v1/intake/crm`, { method: 'POST', body, headers: signedHeaders(body, { id: message.id }), signal: AbortSignal.timeout(answerMs) });
    const parsed = (await answer.json()) as { readonly id?: string };
    return { status: answer.status, id: parsed.id };
  } catch {
    // No answer, or not a whole one: it is sent again.
    return undefined;
  }
}
