import { randomUUID } from 'node:crypto';
import type { SimulatorContext } from '../simulator.ts';
import { stateOf } from './connections.ts';
import { invoke, type Invocation } from './invoke.ts';
import { allows } from './policy.ts';
import type { Delivery, EventBridgeState, Outcome } from './state.ts';
import { inputOf } from './transform.ts';

/** EventBridge says only that it waits longer and longer, 185 times in 24 h; these figures are the simulator's own. */
const firstWaitMs = 1000;
const longestWaitMs = 8 * 60_000;
/** How often it is looked whether something is due by the simulator's clock, which a test may move. */
const pollMs = 15;

/** What delivers the events that were put. */
export interface Deliverer {
  /** Sees to what is due, soon. */
  readonly kick: () => void;
  /** Answers when nothing is due and nothing is on its way. */
  readonly settled: () => Promise<void>;
  readonly stop: () => void;
}

function leaveDeadLetter(state: EventBridgeState, delivery: Delivery, code: string, condition: string | undefined): boolean {
  const arn = (delivery.target['DeadLetterConfig'] as { Arn?: string } | undefined)?.Arn;
  const queue = [...state.queues.values()].find((each) => each.arn === arn);
  if (queue === undefined) return false;
  const question = { action: 'sqs:SendMessage', resource: queue.arn, context: { 'aws:SourceArn': delivery.rule.arn, 'aws:SourceAccount': state.account } };
  if (!allows(queue.attributes['Policy'], question, 'events.amazonaws.com')) return false;
  queue.messages.push({
    id: randomUUID(),
    body: delivery.eventText,
    attributes: {
      RULE_ARN: delivery.rule.arn,
      TARGET_ARN: delivery.target.Arn,
      ERROR_CODE: code,
      ERROR_MESSAGE: `Sandbox: ${code}`,
      RETRY_ATTEMPTS: String(Math.max(0, delivery.attempts - 1)),
      ...(condition === undefined ? {} : { EXHAUSTED_RETRY_CONDITION: condition }),
    },
    visibleAt: 0,
  });
  return true;
}

async function attempt(state: EventBridgeState, context: SimulatorContext, delivery: Delivery): Promise<Invocation> {
  const { target, rule, event, eventText, ingestedAt } = delivery;
  const destination = [...state.destinations.values()].find((each) => each.arn === target.Arn);
  const connection = [...state.connections.values()].find((each) => each.arn === destination?.connectionArn);
  if (destination === undefined || connection === undefined) return { kind: 'refused', code: 'NO_RESOURCE' };
  const role = [...state.roles.values()].find((each) => each.arn === target['RoleArn']);
  const scope = { 'aws:SourceAccount': state.account, 'aws:SourceArn': rule.arn };
  if (role === undefined || !allows(role.trust, { action: 'sts:AssumeRole', resource: role.arn, context: scope }, 'events.amazonaws.com')) return { kind: 'refused', code: 'FAILED_ASSUME_ROLE' };
  const question = { action: 'events:InvokeApiDestination', resource: destination.arn, context: {} };
  if (![...role.policies.values()].some((policy) => allows(policy, question))) return { kind: 'refused', code: 'NO_PERMISSIONS' };
  if (stateOf(state, connection, context.now()) !== 'AUTHORIZED') return { kind: 'again', code: 'AUTH_FAILURE' };
  const input = inputOf(target, event, eventText, { rule, ingestedAt });
  if (input === undefined) return { kind: 'refused', code: 'INVALID_JSON' };
  return invoke(state, delivery, destination, connection, input, context.now());
}

/** When the next try is, or why there is none. */
function nextTry(delivery: Delivery, result: Extract<Invocation, { kind: 'again' }>, now: number): { readonly dueAt: number } | { readonly exhausted: string | undefined } {
  const policy = (delivery.target['RetryPolicy'] as { MaximumRetryAttempts?: number; MaximumEventAgeInSeconds?: number } | undefined) ?? {};
  if (result.retryAfterMs !== undefined && result.retryAfterMs < 0) return { exhausted: undefined };
  if (delivery.attempts > (policy.MaximumRetryAttempts ?? 185)) return { exhausted: 'MaximumRetryAttempts' };
  const wait = Math.min(longestWaitMs, firstWaitMs * 2 ** (delivery.attempts - 1));
  const dueAt = now + Math.max(wait, result.retryAfterMs ?? 0);
  if (dueAt - delivery.ingestedAt > (policy.MaximumEventAgeInSeconds ?? 86_400) * 1000) return { exhausted: 'MaximumEventAgeInSeconds' };
  return { dueAt };
}

/** Makes what delivers: at least once, in no certain order, by the simulator's clock. */
export function createDeliverer(state: () => EventBridgeState, context: SimulatorContext): Deliverer {
  const inFlight = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  const settle = (delivery: Delivery, result: Invocation): void => {
    const now = context.now();
    const end = (outcome: Outcome['outcome'], code?: string): void => {
      state().outcomes.push({ eventId: String(delivery.event['id']), rule: delivery.rule.name, target: delivery.target.Id, attempts: delivery.attempts, outcome, ...(code === undefined ? {} : { code }) });
      context.effect(`event.${outcome}`, `${String(delivery.event['id'])} ${delivery.rule.name} ${delivery.target.Id}`);
    };
    const give = (code: string, condition: string | undefined): void => end(leaveDeadLetter(state(), delivery, code, condition) ? 'dead-lettered' : 'dropped', code);
    if (result.kind === 'delivered') return end('delivered');
    if (result.kind === 'refused') return give(result.code, undefined);
    const next = nextTry(delivery, result, now);
    if ('exhausted' in next) return give(result.code, next.exhausted);
    delivery.dueAt = next.dueAt;
    state().deliveries.push(delivery);
    return undefined;
  };

  /** Takes what is due now, as far as the rates of the API destinations allow. */
  const takeDue = (): readonly Delivery[] => {
    const held = state();
    const now = context.now();
    const due = held.deliveries.filter(({ dueAt }) => dueAt <= now);
    if (held.reversed) due.reverse();
    const taken = due.filter((delivery) => {
      const destination = [...held.destinations.values()].find((each) => each.arn === delivery.target.Arn);
      if (destination === undefined) return true;
      const free = held.nextCallAt.get(destination.arn) ?? 0;
      // A whole second's worth of calls may come at once.
      if (free > now + 1000) {
        delivery.dueAt = free - 1000;
        return false;
      }
      held.nextCallAt.set(destination.arn, Math.max(free, now) + 1000 / destination.ratePerSecond);
      return true;
    });
    held.deliveries = held.deliveries.filter((delivery) => !taken.includes(delivery));
    return taken;
  };

  const runOnce = async (delivery: Delivery): Promise<void> => settle(delivery, await attempt(state(), context, delivery));
  const work = (): void => {
    for (const delivery of takeDue()) {
      delivery.attempts += 1;
      const run = runOnce(delivery).finally(() => {
        inFlight.delete(run);
        kick();
      });
      inFlight.add(run);
    }
  };
  const kick = (): void => {
    if (isStopped || timer !== undefined || state().deliveries.length === 0) return;
    const isDue = state().deliveries.some(({ dueAt }) => dueAt <= context.now());
    timer = setTimeout(() => {
      timer = undefined;
      work();
      kick();
    }, isDue ? 0 : pollMs);
    timer.unref();
  };
  return {
    kick,
    settled: async () => {
      for (;;) {
        work();
        if (inFlight.size === 0) return;
        await Promise.race(inFlight);
      }
    },
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
