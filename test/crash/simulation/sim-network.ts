import type { Transport, TransportAnswer } from '../../../src/connector-kit/index.ts';
import type { Mailer } from '../../../src/modules/notifications/index.ts';
import type { SimulatorCore } from '../../../src/sandbox/simulator.ts';
import type { SimProcess } from './sim-process.ts';
import { owners, type VirtualTime } from './virtual-time.ts';

/** What the network does with a call. */
export type CallFate = 'well' | 'slow' | 'hang' | 'lost before' | 'lost after' | 'twice' | 'refused' | 'limited' | 'failed after' | 'garbled';

/** A message that reached its mail server. */
export interface SimMail {
  readonly to: string;
  readonly messageId: string;
  readonly subject: string;
  readonly text: string;
}

/** The vendors and the mail server, behind a network that does what networks do. */
export interface SimNetwork {
  readonly transportOf: (process: SimProcess) => Transport;
  readonly mailerOf: (process: SimProcess) => Mailer;
  readonly mails: readonly SimMail[];
  /** How many regulations it ordered twice: the one call that nothing makes idempotent. */
  readonly repeats: () => number;
}

/** How long a slow answer takes at most: longer than a call's time-out. */
const slowMs = 20_000;

/** Makes the network between the processes and the vendors' simulators, which are found by their origin. */
export function createSimNetwork(
  time: VirtualTime,
  vendors: ReadonlyMap<string, SimulatorCore>,
  random: { readonly fraction: () => number; readonly int: (count: number) => number },
  fateOf: (kind: 'call' | 'mail') => CallFate,
): SimNetwork {
  const mails: SimMail[] = [];
  let repeats = 0;

  const ask = async (url: URL, init: Parameters<Transport>[1]): Promise<TransportAnswer> => {
    const vendor = vendors.get(url.origin);
    if (vendor === undefined) throw new Error(`The simulation has no vendor at ${url.origin}`);
    const body = init.body === undefined || init.body === null ? undefined : await new Response(init.body as ConstructorParameters<typeof Response>[0]).text();
    const headers = Object.fromEntries(new Headers(init.headers as ConstructorParameters<typeof Headers>[0]));
    if (body !== undefined && typeof init.body !== 'string') headers['content-type'] ??= 'application/x-www-form-urlencoded';
    const answer = await time.busy(
      vendor.app.inject({ method: (init.method ?? 'GET') as 'GET', url: `${url.pathname}${url.search}`, headers, ...(body === undefined ? {} : { payload: body }) }),
    );
    return answerOf(answer.statusCode, Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)]), answer.rawPayload);
  };
  const exchange = async (url: URL, init: Parameters<Transport>[1]): Promise<TransportAnswer> => {
    const fate = fateOf('call');
    const hop = (): Promise<void> => time.sleep(1 + random.fraction() * 40);
    const never = (): Promise<never> => new Promise(() => undefined);
    await hop();
    switch (fate) {
      case 'lost before':
        throw new TypeError('fetch failed');
      case 'refused':
        return answerOf(503, [['content-type', 'text/plain']], Buffer.from('unavailable'));
      case 'limited':
        return answerOf(429, [['content-type', 'application/json'], ['retry-after', String(1 + random.int(20))]], Buffer.from('{}'));
      case 'hang':
        if (random.fraction() < 0.5) await ask(url, init);
        return never();
      case 'twice':
      case 'slow':
      case 'lost after':
      case 'failed after':
      case 'garbled':
      case 'well':
        break;
    }
    const answer = await ask(url, init);
    if (fate === 'twice') {
      if (init.method === 'POST' && url.pathname === '/regulations') repeats += 1;
      await hop();
      await ask(url, init);
    }
    if (fate === 'slow') await time.sleep(random.fraction() * slowMs);
    await hop();
    if (fate === 'lost after') throw new TypeError('fetch failed');
    if (fate === 'failed after') return answerOf(500, [['content-type', 'application/json']], Buffer.from('{}'));
    if (fate === 'garbled') return answerOf(200, [['content-type', 'application/json']], Buffer.from('{"truncated": ['));
    return answer;
  };
  return {
    mails,
    repeats: () => repeats,
    transportOf: (process) => async (url, init) => {
      process.point('call');
      // What was sent goes on without its sender.
      const sent = owners.exit(() => exchange(url, init));
      const signal = init.signal as AbortSignal | undefined;
      const aborted = new Promise<never>((_resolve, reject) => {
        const give = (): void => reject(signal?.reason as Error);
        if (signal?.aborted === true) give();
        else signal?.addEventListener('abort', give, { once: true });
      });
      try {
        return await Promise.race([sent, aborted]);
      } finally {
        sent.catch(() => undefined);
        await process.turn();
        process.point('answered');
      }
    },
    mailerOf: (process) => ({
      domain: 'example.com',
      send: async (to, messageId, message) => {
        process.point('mail');
        const fate = fateOf('mail');
        await time.sleep(1 + random.fraction() * 100);
        // Where a mail server cannot be reached, or says no for now, nothing was delivered.
        if (fate === 'lost before' || fate === 'refused' || fate === 'limited') return 'failed';
        mails.push({ to, messageId, subject: message.subject, text: message.text });
        process.point('mail');
        return fate === 'well' || fate === 'slow' ? 'accepted' : 'failed';
      },
    }),
  };
}

function answerOf(status: number, headers: readonly [string, string][], payload: Buffer): TransportAnswer {
  return { status, statusText: '', headers, body: ReadableStream.from(payload.length === 0 ? [] : [new Uint8Array(payload)]) };
}
