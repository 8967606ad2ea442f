import type { Simulator } from '../src/sandbox/simulator.ts';
import { startStripe } from '../src/sandbox/stripe/index.ts';
import { startTwilio } from '../src/sandbox/twilio/index.ts';

/**
 * The vendors, in a process of their own: what they do to answer must not be done on the event loop that is measured.
 * Takes orders over IPC, in the order in which they come, and answers each.
 */
const simulators: Readonly<Record<'stripe' | 'twilio', Simulator>> = { stripe: await startStripe(), twilio: await startTwilio() };

/** An order to the vendors. */
export type Order =
  | { readonly do: 'seed'; readonly vendor: 'stripe' | 'twilio'; readonly data: unknown }
  /** Each answer comes so many milliseconds late from now on. */
  | { readonly do: 'delay'; readonly ms: number }
  | { readonly do: 'count' }
  /** The calls that came more than once, by method and path. */
  | { readonly do: 'repeated'; readonly method: string }
  | { readonly do: 'reset' };

function count(): { readonly calls: number; readonly effects: Record<string, number> } {
  const effects: Record<string, number> = {};
  const all = Object.values(simulators);
  for (const { type } of all.flatMap((each) => each.effects)) effects[type] = (effects[type] ?? 0) + 1;
  return { calls: all.reduce((sum, each) => sum + each.calls.length, 0), effects };
}

function repeated(method: string): number {
  const calls = Object.values(simulators).flatMap((each) => each.calls.filter((call) => call.method === method));
  return calls.length - new Set(calls.map((call) => call.path)).size;
}

function carryOut(order: Order): unknown {
  switch (order.do) {
    case 'seed':
      return simulators[order.vendor].seed(order.data);
    case 'delay':
      for (const each of Object.values(simulators)) {
        each.clearFaults();
        if (order.ms > 0) each.fault({ kind: 'delay', delayMs: order.ms, times: Number.MAX_SAFE_INTEGER });
      }
      return undefined;
    case 'count':
      return count();
    case 'repeated':
      return repeated(order.method);
    case 'reset':
      for (const each of Object.values(simulators)) each.reset();
      simulators.stripe.seed({ account: { requests_per_second: 1_000_000 } });
      simulators.twilio.seed({ rate_limit: { per_second: 1_000_000 } });
      return undefined;
  }
}

process.on('message', ({ id, order }: { readonly id: number; readonly order: Order }) => {
  try {
    process.send?.({ id, answer: carryOut(order) });
  } catch (error) {
    process.send?.({ id, error: String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.({ id: 0, answer: { stripe: simulators.stripe.url, twilio: simulators.twilio.url } });
