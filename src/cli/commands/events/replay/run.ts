import { setTimeout as pause } from 'node:timers/promises';
import { createApiClient, readAnswer } from '../../../api-client.ts';
import { eventReplaySchema } from '../../../event-schemas.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';

interface Flags extends JsonFlag {
  readonly rule: string;
  readonly target?: string;
  readonly from: string;
  readonly to?: string;
  readonly only: 'all' | 'dead';
}

/** Between two looks at how far it is. */
const lookMs = 500;

/** Orders a replay and follows it to its end. */
export async function run(this: CliContext, { rule, target, from, to, only, json }: Flags): Promise<void> {
  const api = createApiClient(this);
  const order = { rule, from, to: to ?? new Date(this.now()).toISOString(), only, ...(target === undefined ? {} : { target }) };
  let answer = await api.post('/v1/event-replays', order);
  let replay = readAnswer(eventReplaySchema, answer);
  while (replay.done_at === null) {
    if (this.process.stderr.isTTY === true) this.process.stderr.write(`\r${replay.looked_at} events looked at, ${replay.sent} deliveries made`);
    await pause(lookMs);
    answer = await api.get(`/v1/event-replays/${replay.id}`);
    replay = readAnswer(eventReplaySchema, answer);
  }
  if (this.process.stderr.isTTY === true) this.process.stderr.write('\r');
  if (json) printJson(this, answer);
  else print(this, `${replay.looked_at} events looked at, ${replay.sent} deliveries on their way; see quittance events deliveries --rule ${rule}`);
}
