import { createApiClient, readAnswer } from '../../../api-client.ts';
import { deliveryListSchema } from '../../../event-schemas.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { renderDeliveries } from '../../../terminal/deliveries.ts';

interface Flags extends JsonFlag {
  readonly status?: 'waiting' | 'delivered' | 'dead';
  readonly destination?: string;
  readonly rule?: string;
  readonly unacknowledged: boolean;
  readonly limit: number;
  readonly cursor?: string;
}

/** Lists deliveries, and says how to see the next page. */
export async function run(this: CliContext, flags: Flags): Promise<void> {
  const query = new URLSearchParams({ limit: String(flags.limit), unacknowledged: String(flags.unacknowledged) });
  for (const name of ['status', 'destination', 'rule', 'cursor'] as const) {
    const value = flags[name];
    if (value !== undefined) query.set(name, value);
  }
  const answer = await createApiClient(this).get(`/v1/event-deliveries?${query.toString()}`);
  if (flags.json) {
    printJson(this, answer);
    return;
  }
  const { items, next_cursor: next } = readAnswer(deliveryListSchema, answer);
  print(this, ...(items.length === 0 ? ['No deliveries.'] : renderDeliveries(items)));
  if (next !== null) print(this, `More: quittance events deliveries --cursor ${next}`);
}
