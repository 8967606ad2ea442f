import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Order } from './vendor-process.ts';

/** The vendors' simulators, in their own process. */
export interface Vendors {
  readonly stripe: string;
  readonly twilio: string;
  readonly seed: (vendor: 'stripe' | 'twilio', data: unknown) => Promise<unknown>;
  readonly delay: (ms: number) => Promise<void>;
  readonly count: () => Promise<{ readonly calls: number; readonly effects: Readonly<Record<string, number>> }>;
  /** How many calls of a method repeated an earlier one. */
  readonly repeated: (method: string) => Promise<number>;
  /** Forgets everything, delays too. */
  readonly reset: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

interface Reply {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

const entry = fileURLToPath(new URL('./vendor-process.ts', import.meta.url));
/** How late each vendor answers. */
export const answerMs = 5;

/** Starts the simulators, which answer at once until told otherwise. */
export async function startVendors(): Promise<Vendors> {
  const child = fork(entry, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const waiting = new Map<number, { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }>();
  const ended = once(child, 'exit');
  child.once('exit', () => {
    for (const each of waiting.values()) each.reject(new Error('The vendors ended'));
  });
  child.on('message', ({ id, answer, error }: Reply) => {
    const one = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) one?.resolve(answer);
    else one?.reject(new Error(error));
  });
  const ask = (id: number): Promise<unknown> => new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  let last = 0;
  const order = async (what: Order): Promise<unknown> => {
    last += 1;
    const answer = ask(last);
    child.send({ id: last, order: what });
    return answer;
  };
  const urls = (await ask(0)) as Pick<Vendors, 'stripe' | 'twilio'>;
  return {
    ...urls,
    seed: (vendor, data) => order({ do: 'seed', vendor, data }),
    delay: async (ms) => void (await order({ do: 'delay', ms })),
    count: async () => (await order({ do: 'count' })) as Awaited<ReturnType<Vendors['count']>>,
    repeated: async (method) => (await order({ do: 'repeated', method })) as number,
    reset: async () => void (await order({ do: 'reset' })),
    stop: async () => {
      child.disconnect();
      await ended;
    },
  };
}
