import { z } from 'zod';
import type { SimulatorContext } from '../simulator.ts';
import { addMessage, type PubsubState } from './state.ts';

const eventSchema = z.object({ event: z.literal('workstation.delete'), idempotency_key: z.string(), subject: z.object({ user_id: z.string() }) });

/** Deletes a user's workstations, and says what it came to; for a key that it dealt with before, it says the same again and does nothing. */
function dealWith(state: PubsubState, context: SimulatorContext, data: string): Readonly<Record<string, unknown>> | undefined {
  const parsed = eventSchema.safeParse(JSON.parse(Buffer.from(data, 'base64').toString('utf8')));
  if (!parsed.success) return undefined;
  const { idempotency_key: key, subject } = parsed.data;
  const before = state.done.get(key);
  if (before !== undefined) return before;
  const { behaviour } = state.receiver;
  const owned = state.workstations.filter((each) => each.user_id === subject.user_id);
  const goes = behaviour === 'honest' || behaviour === 'says_nothing_held' || behaviour === 'malformed' ? owned : behaviour === 'partial' ? owned.slice(0, 1) : [];
  state.workstations = state.workstations.filter((each) => !goes.includes(each));
  for (const { name } of goes) context.effect('workstation.deleted', name);
  const status = behaviour === 'fails' ? 'failed' : behaviour === 'partial' ? 'partial' : behaviour === 'says_nothing_held' && owned.length === 0 ? 'nothing_held' : 'done';
  const said = { event: 'workstation.deleted', idempotency_key: key, status: behaviour === 'malformed' ? 'gone, all of it' : status, counts: { workstations: behaviour === 'lies' ? owned.length : goes.length }, at: new Date(context.now()).toISOString() };
  state.done.set(key, said);
  return said;
}

/** The in-house service: takes the events that are due and publishes its acknowledgements. */
export function receive(state: PubsubState, context: SimulatorContext): void {
  if (state.receiver.behaviour === 'ignores') return;
  const now = context.now();
  for (const message of state.events.filter((each) => each.visibleAt <= now)) {
    state.events.splice(state.events.indexOf(message), 1);
    const said = dealWith(state, context, message.data);
    if (said === undefined) continue;
    const send = (body: object): unknown => addMessage(state, 'acknowledgements', Buffer.from(JSON.stringify(body)).toString('base64'), now);
    for (let copy = 0; copy < state.receiver.copies; copy += 1) send(said);
    if (state.receiver.out_of_order) send({ ...said, status: 'pending', at: new Date(now - 60_000).toISOString() });
  }
}
