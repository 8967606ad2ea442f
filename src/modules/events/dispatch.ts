import type { Kysely } from 'kysely';
import { backoffMs } from '../../platform/backoff.ts';
import type { Clock } from '../../platform/clock.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import type { Log } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import { eventsDispatch } from './jobs.ts';
import { shapeDelivery, type ShapeDeps } from './shape-delivery.ts';
import { bringForward, dueDeliveries, holdDestination, leaseDestination, markDelivered, markDelivery, markDestination, nextDue, releaseDestination, type DestinationRow, type DueDelivery } from './store.ts';
import type { EventTables } from './tables.ts';
import type { DeliveryResult, EventTarget, Outgoing } from './target.ts';
import { heldBack, interrupted, ownRateLimit } from './targets/delivery-result.ts';

/** A destination, ready to be sent to. */
export interface Destination {
  readonly name: string;
  readonly attemptsMax: number;
  readonly ageMsMax: number;
  readonly target: EventTarget;
}

/** What dispatching needs. */
export interface DispatchDeps extends ShapeDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly jobs: Pick<Jobs, 'send' | 'poke'>;
  readonly destinations: ReadonlyMap<string, Destination>;
  /** Is told of dead letters and of a receiver that wants nothing any more, in the transaction that notes them. */
  readonly onDead: (tx: Tx, finding: { readonly destination: string; readonly code: string }) => Promise<void>;
}

/** How long one batch may take; every target's own limits are shorter. */
const batchMs = 45_000;
/** Longer than a batch, so that who holds a destination is overtaken only when it stands still. */
const leaseMs = 60_000;
/** After this long, others get a turn. */
const sliceMs = 25_000;
/** The longest that a destination which fails is left alone: it is looked at again within a minute of its mending. */
const pauseMsMax = 60_000;

/** Not tried after all: that says nothing of the delivery, nor of the destination. */
const untried: ReadonlySet<string> = new Set([heldBack, interrupted, ownRateLimit]);

interface Tried {
  readonly due: DueDelivery;
  readonly result: DeliveryResult;
  /** Whether the target answered it: what never came that far says nothing of the destination. */
  readonly isAnswered: boolean;
}

/**
 * Sends what waits for one destination, one batch after the other and in order, as long as this process holds it. A delivery is noted as made after the target
 * took it, so that one who dies in between has it made again: at least once, with the same event id.
 */
export function createDispatch(deps: DispatchDeps): (name: string, signal: AbortSignal) => Promise<void> {
  const db = (): Kysely<EventTables> => deps.database.read<EventTables>();
  return async (name, signal) => {
    const destination = deps.destinations.get(name);
    if (destination === undefined) return;
    const held = await leaseDestination(db(), name, leaseMs);
    // Who has it looks once more after giving it back.
    if (held === undefined) return;
    let wait: Awaited<ReturnType<typeof sendAll>>;
    try {
      wait = await sendAll(deps, destination, held, signal);
    } finally {
      await releaseDestination(db(), name, held.epoch);
    }
    if (wait === 'never') return;
    const next = await nextDue(db(), name);
    if (next === undefined) return;
    const now = deps.clock.now();
    const at = Math.max(next.getTime(), typeof wait === 'number' ? wait : now);
    if (at <= now) await deps.jobs.poke(eventsDispatch, { destination: name });
    else await deps.database.transaction((tx) => deps.jobs.send(tx, eventsDispatch, { destination: name }, { delayMs: at - now }));
  };
}

/** Sends until nothing is due, and answers from when on the destination may be sent to again, `now` where it may at once. */
async function sendAll(deps: DispatchDeps, destination: Destination, held: DestinationRow, signal: AbortSignal): Promise<number | 'now' | 'never'> {
  const endsAt = deps.clock.now() + sliceMs;
  let state: DestinationRow | undefined = held;
  while (!signal.aborted && deps.clock.now() < endsAt) {
    if (state === undefined || state.disabled_at !== null) return 'never';
    if (state.paused_until !== null && state.paused_until.getTime() > deps.clock.now()) return state.paused_until.getTime();
    const { target } = destination;
    // One that failed is tried with one delivery before it is given the rest.
    const limit = state.failures > 0 ? 1 : target.batchMax;
    const due = await dueDeliveries(deps.database.read<EventTables>(), destination.name, new Date(deps.clock.now()), limit, target.order === 'one-by-one');
    if (due.length === 0) return 'now';
    const tried = await sendBatch(deps, destination, target, due, signal);
    state = await noteBatch(deps, destination, held.epoch, tried);
  }
  return 'now';
}

async function sendBatch(deps: DispatchDeps, destination: Destination, target: EventTarget, due: readonly DueDelivery[], signal: AbortSignal): Promise<readonly Tried[]> {
  const tried = new Map<string, Omit<Tried, 'due'>>();
  const outgoing: Outgoing[] = [];
  const blocked = new Set<string>();
  for (const each of due) {
    // Behind one that has to wait, nothing of the same request leaves.
    if (blocked.has(each.lane)) continue;
    const shaped = deps.clock.now() - each.created_at.getTime() > destination.ageMsMax ? { result: { kind: 'refused', code: each.code ?? 'TOO_OLD' } as const } : await shapeOrExplain(deps, each);
    if ('outgoing' in shaped) {
      outgoing.push(shaped.outgoing);
      continue;
    }
    tried.set(each.id, { result: shaped.result, isAnswered: false });
    if (shaped.result.kind === 'again') blocked.add(each.lane);
  }
  if (outgoing.length > 0) {
    const answers = await deliverOrExplain(deps, target, outgoing, signal);
    for (const [index, { deliveryId }] of outgoing.entries()) tried.set(deliveryId, { result: answers[index] ?? { kind: 'again', code: 'INTERNAL' }, isAnswered: true });
  }
  return due.flatMap((each) => {
    const one = tried.get(each.id);
    return one === undefined ? [] : [{ due: each, ...one }];
  });
}

/** A bug of ours at one delivery is counted as a try of it, and keeps no other waiting. */
async function shapeOrExplain(deps: DispatchDeps, due: DueDelivery): Promise<Awaited<ReturnType<typeof shapeDelivery>>> {
  try {
    return await shapeDelivery(deps, due);
  } catch (error) {
    deps.log.error({ rule: due.rule, event_id: due.event_id, err: error }, 'an event could not be shaped, on a bug');
    return { result: { kind: 'again', code: 'INTERNAL' } };
  }
}

async function deliverOrExplain(deps: DispatchDeps, target: EventTarget, outgoing: readonly Outgoing[], signal: AbortSignal): Promise<readonly DeliveryResult[]> {
  try {
    const answers = await target.deliver(outgoing, AbortSignal.any([signal, AbortSignal.timeout(batchMs)]));
    // Cut off by its time and not by our stopping, it was tried.
    return answers.map((each) => (each.kind === 'again' && each.code === interrupted && !signal.aborted ? { kind: 'again', code: 'VENDOR_TIMEOUT' } : each));
  } catch (error) {
    deps.log.error({ err: error }, 'events could not be sent, on a bug');
    return outgoing.map(() => ({ kind: 'again', code: 'INTERNAL' }));
  }
}

/** Writes what became of a batch, unless another process has overtaken this one; answers how the destination stands, undefined for one that was overtaken. */
async function noteBatch(deps: DispatchDeps, destination: Destination, epoch: number, tried: readonly Tried[]): Promise<DestinationRow | undefined> {
  return deps.database.transaction(async (tx) => {
    const trx = tablesOf<EventTables>(tx);
    const state = await holdDestination(trx, destination.name, epoch, leaseMs);
    if (state === undefined) return undefined;
    const now = deps.clock.now();
    await markDelivered(trx, tried.flatMap(({ due, result }) => (result.kind === 'delivered' ? [{ id: due.id, attempts: due.attempts + 1, reference: result.reference ?? null }] : [])), new Date(now));
    const deadCodes = new Set<string>();
    for (const { due, result } of tried) {
      if (result.kind === 'delivered') continue;
      if (result.kind === 'again' && untried.has(result.code)) {
        await markDelivery(trx, due.id, { next_at: new Date(now + (result.retryAfterMs ?? 0)) });
        continue;
      }
      const attempts = due.attempts + 1;
      // What is gone is kept: an operator may say that the receiver is back.
      const isDead = result.kind === 'refused' || (result.kind === 'again' && attempts >= destination.attemptsMax);
      if (isDead) {
        deadCodes.add(result.code);
        deps.log.warn({ destination: destination.name, rule: due.rule, event_id: due.event_id, code: result.code, attempts }, 'an event could not be delivered: it is a dead letter');
        await markDelivery(trx, due.id, { status: 'dead', attempts, code: result.code, ended_at: new Date(now) });
      } else {
        const waitMs = backoffMs(attempts, deps.random.fraction(), result.kind === 'again' ? (result.retryAfterMs ?? 0) : 0);
        await markDelivery(trx, due.id, { attempts, code: result.code, next_at: new Date(now + waitMs) });
      }
    }
    for (const code of deadCodes) await deps.onDead(tx, { destination: destination.name, code });
    return noteHealth(deps, tx, state, tried.filter(({ result, isAnswered }) => isAnswered && (result.kind !== 'again' || !untried.has(result.code))), now);
  });
}

/** A destination where everything failed is left alone for a while; one that takes something again is given what waited. */
async function noteHealth(deps: DispatchDeps, tx: Tx, state: DestinationRow, tried: readonly Tried[], now: number): Promise<DestinationRow> {
  const trx = tablesOf<EventTables>(tx);
  const gone = tried.find(({ result }) => result.kind === 'gone');
  if (gone !== undefined && gone.result.kind === 'gone') {
    const change = { disabled_at: new Date(now), disabled_code: gone.result.code };
    await markDestination(trx, state.name, change);
    await deps.onDead(tx, { destination: state.name, code: gone.result.code });
    return { ...state, ...change };
  }
  const again = tried.flatMap(({ result }) => (result.kind === 'again' ? [result] : []));
  if (again.length > 0 && again.length === tried.length) {
    const failures = state.failures + 1;
    // What a receiver asks for at length holds for that delivery alone, or one answer would age all that waits.
    const asked = Math.max(0, ...again.map(({ retryAfterMs }) => retryAfterMs ?? 0));
    const change = { failures, paused_until: new Date(now + Math.min(pauseMsMax, Math.max(asked, backoffMs(failures, deps.random.fraction())))) };
    await markDestination(trx, state.name, change);
    return { ...state, ...change };
  }
  if (state.failures === 0 || tried.length === 0) return state;
  const change = { failures: 0, paused_until: null };
  await markDestination(trx, state.name, change);
  await bringForward(trx, state.name, new Date(now));
  return { ...state, ...change };
}
