import type { EventsConfig } from '../../../platform/config/events.ts';
import { Failure } from '../../../platform/failure.ts';
import { apply, type ApplyDeps } from './apply.ts';
import { AwsRefusal, failureOf, type Aws } from './aws.ts';
import { compareResources, type Change, type Comparison } from './compare.ts';
import { eventBridgePlan, ownNames, placeOf } from './event-bridge-plan.ts';
import type { Observed } from './observed.ts';
import { observe } from './observe.ts';
import type { Resources } from './resources.ts';

/** What is wanted at Amazon, what is there, and what is to be done. */
export interface EventBridgeDifference {
  readonly resources: Resources;
  readonly observed: Observed;
  readonly changes: readonly Change[];
}

/** Says in Quittance's terms what a service refused. */
async function inOurTerms<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AwsRefusal) throw failureOf(error);
    throw error;
  }
}

function refuseForeign({ foreign }: Comparison): void {
  const [first] = foreign;
  if (first === undefined) return;
  const all = foreign.map(({ kind, name }) => `${kind} ${name}`).join(', ');
  throw new Failure('CONFLICT', `Not made by Quittance, so nothing was changed: ${all}. Delete or rename it, or set another /events/eventbridge/prefix`);
}

/** Everything that a prefix has, to be compared with nothing: what is to be destroyed. */
function emptied(resources: Resources): Resources {
  const { place, publisher } = resources;
  return { place, publisher, connections: [], destinations: [], rules: [], notes: [] };
}

async function differ(aws: Aws, resources: Resources, wanted: Resources): Promise<EventBridgeDifference> {
  const names = ownNames(resources.place);
  return inOurTerms(async () => {
    const observed = await observe(aws, resources.place, names);
    const comparison = compareResources(wanted, observed, names);
    refuseForeign(comparison);
    return { resources: wanted, observed, changes: comparison.changes };
  });
}

/**
 * Says what differs between what the rules of the configuration need and what is at Amazon. Changes nothing.
 * Fails with `CONFIG_INVALID`, with `CONFLICT` where a name is wanted that is somebody else's, and as the services do: `CONNECTION_AUTH`, `CONNECTION_REFUSED`,
 * `VENDOR_RATE_LIMITED`, `VENDOR_UNAVAILABLE`.
 */
export async function planEventBridge(aws: Aws, config: EventsConfig): Promise<EventBridgeDifference> {
  const resources = eventBridgePlan(config, placeOf(config));
  return differ(aws, resources, resources);
}

/** Says what of Quittance's own is at Amazon, all of it to be deleted. Changes nothing. Fails as `planEventBridge` does. */
export async function planDestruction(aws: Aws, config: EventsConfig): Promise<EventBridgeDifference> {
  const resources = eventBridgePlan({ ...config, rules: {} }, placeOf(config));
  return differ(aws, resources, emptied(resources));
}

/** Adds to a difference that every connection is written once more, for nobody can see whether a secret is the same. */
export function withSecrets(difference: EventBridgeDifference): EventBridgeDifference {
  const changes = difference.changes.map((each): Change => (each.kind === 'connection' && each.action === 'unchanged' ? { ...each, action: 'update', fields: [{ field: 'secret', from: 'what it was', to: 'what the configuration says' }] } : each));
  return { ...difference, changes };
}

/**
 * Makes the changes. One that dies in the middle is gone on with by the next.
 * Fails with `CONFLICT` where a queue with dead letters would be deleted and `discardDeadLetters` is false, and as `planEventBridge` does.
 */
export async function applyEventBridge(deps: ApplyDeps, difference: EventBridgeDifference, options: { readonly discardDeadLetters: boolean }): Promise<void> {
  const { observed, resources, changes } = difference;
  const names = ownNames(resources.place);
  const waiting = changes.some(({ kind, action }) => kind === 'queue' && action === 'delete') ? (observed.queue?.messages ?? 0) : 0;
  if (waiting > 0 && !options.discardDeadLetters) throw new Failure('CONFLICT', `The queue ${names.queue} has ${waiting} dead letters, so nothing was changed. Read them first, or destroy with --discard-dead-letters`);
  if (changes.every(({ action }) => action === 'unchanged')) return;
  await inOurTerms(async () => apply(deps, { resources, observed, names, changes }));
}
