import { createApiClient, readAnswer } from '../../../api-client.ts';
import { eventWithDeliveriesSchema } from '../../../event-schemas.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { renderDeliveries } from '../../../terminal/deliveries.ts';

/** Shows one event. */
export async function run(this: CliContext, flags: JsonFlag, id: string): Promise<void> {
  const answer = await createApiClient(this).get(`/v1/events/${encodeURIComponent(id)}`);
  if (flags.json) {
    printJson(this, answer);
    return;
  }
  const { deliveries, detail, ...event } = readAnswer(eventWithDeliveriesSchema, answer);
  print(this, `${event.type}  ${event.at}  ${event.subject ?? ''}`, JSON.stringify(detail, null, 2), '', ...(deliveries.length === 0 ? ['No rule matched it.'] : renderDeliveries(deliveries)));
}
