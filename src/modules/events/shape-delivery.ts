import { formatId, type RequestId } from '../../contract/ids.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import { isFailure } from '../../platform/failure.ts';
import type { Vault } from '../identity/index.ts';
import { unshaped, type PrivacyEvent } from './domain/event.ts';
import { mayCarryIdentifiers, type Route, type Routing } from './domain/routing.ts';
import { isJson, readPath, transform } from './domain/transform.ts';
import { eventOf } from './publish.ts';
import type { DueDelivery } from './store.ts';
import type { DeliveryResult, Outgoing } from './target.ts';

/** What shaping needs. */
export interface ShapeDeps {
  readonly clock: Clock;
  readonly vault: Pick<Vault, 'unlock'>;
  readonly routing: Routing;
  readonly source: string;
  /** Whether a task still waits for what its event asks for: not settled otherwise in the meantime, and not with a person. */
  readonly isStillAsked: (taskId: string) => Promise<boolean>;
  /** Whether a destination takes EventBridge's envelope, as EventBridge gives it where no rule shapes the event. */
  readonly takesBusEvents: (destination: string) => boolean;
}

/** What leaves, or why nothing does. */
export type Shaped = { readonly outgoing: Outgoing } | { readonly result: DeliveryResult };

/** For so long a rule that is not known may be known to another process. */
const rolloutMs = 10 * 60_000;

const hasIdentifier = ({ detail }: PrivacyEvent): boolean => Object.values((detail['identifiers'] ?? {}) as Readonly<Record<string, readonly string[]>>).some((values) => values.length > 0);

/** Adds what a rule declared of the person, from the vault. Doubtful identifiers may be somebody else's and stay. */
async function withIdentifiers(deps: ShapeDeps, event: PrivacyEvent, route: Route, requestId: RequestId): Promise<PrivacyEvent> {
  const { identifiers } = await deps.vault.unlock(requestId);
  const known: Record<string, string[]> = {};
  // An event that asks for an erasure is about one identifier, which its plan decided on; any other about the person, as far as it is proven.
  const only = event.detail['identifier_id'];
  for (const kind of route.identifiers) {
    const meant = identifiers.filter((each) => each.kind === kind && (only === undefined ? each.confidence >= 1 : formatId('identifier', each.id) === only));
    known[kind] = meant.map(({ value }) => value);
  }
  return { ...event, detail: { ...event.detail, identifiers: known } };
}

/**
 * Gives what leaves for a delivery: the event with what its rule declared of the person, shaped by its rule. A vault that was destroyed, a rule that was
 * disabled or is gone, an erasure that nobody asks for any more, a path parameter that the event has not, and a template that gave no JSON are refused; a key that is not there just now is tried again.
 */
export async function shapeDelivery(deps: ShapeDeps, due: DueDelivery): Promise<Shaped> {
  const route = deps.routing.route(due.rule, due.target);
  if (route === undefined) {
    // Another process may know a rule that this one does not, while a new version is rolled out.
    const isGone = deps.clock.now() - due.created_at.getTime() > rolloutMs;
    return { result: { kind: isGone ? 'refused' : 'again', code: 'RULE_REMOVED' } };
  }
  if (!deps.routing.isEnabled(due.rule)) return { result: { kind: 'refused', code: 'RULE_DISABLED' } };
  const stored = eventOf({ id: due.event_id, seq: due.seq, type: due.type, request_id: due.request_id, at: due.at, detail: due.detail }, { source: deps.source, nameOf: deps.routing.nameOf });
  const asks = due.type === 'erasure.requested';
  if (asks && !(await deps.isStillAsked(String(due.detail['task_id'])))) return { result: { kind: 'refused', code: 'NO_LONGER_ASKED' } };
  let event = stored;
  if (route.identifiers.length > 0 && due.request_id !== null) {
    // By the type as it is stored: neither a name of the configuration nor a rule that was changed since makes another event of it.
    if (!mayCarryIdentifiers(due.type)) return { result: { kind: 'refused', code: 'IDENTIFIERS_NOT_ALLOWED' } };
    try {
      event = await withIdentifiers(deps, stored, route, due.request_id);
    } catch (error) {
      if (!isFailure(error)) throw error;
      return { result: { kind: error.code === 'KEY_UNAVAILABLE' ? 'again' : 'refused', code: error.code } };
    }
  }
  if (asks && !hasIdentifier(event)) return { result: { kind: 'refused', code: 'IDENTIFIER_UNKNOWN' } };
  const busEvent = deps.routing.toBus(event);
  const pathParameters: string[] = [];
  for (const parameter of route.pathParameters) {
    const value = parameter.startsWith('$.') ? readPath(busEvent, parameter) : parameter;
    if (typeof value !== 'string' && typeof value !== 'number') return { result: { kind: 'refused', code: 'PATH_PARAMETER_MISSING' } };
    pathParameters.push(String(value));
  }
  const about = { deliveryId: due.id, event, pathParameters };
  if (route.transform === undefined) return { outgoing: { ...about, ...unshaped(event, busEvent, deps.takesBusEvents(due.destination)) } };
  const body = transform(busEvent, route.transform, { ...deps.routing.contextOf(route.rule), ingestionTime: isoTime(event.at) });
  return isJson(body, route.transform) ? { outgoing: { ...about, body, contentType: 'application/json' } } : { result: { kind: 'refused', code: 'INVALID_JSON' } };
}
