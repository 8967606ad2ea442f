import { formatId, type RequestId } from '../../contract/ids.ts';
import { isoTime } from '../../platform/clock.ts';
import { isFailure } from '../../platform/failure.ts';
import type { Vault } from '../identity/index.ts';
import { toCloudEvent, type PrivacyEvent } from './domain/event.ts';
import type { Route, Routing } from './domain/routing.ts';
import { isJson, readPath, transform } from './domain/transform.ts';
import { eventOf } from './publish.ts';
import type { DueDelivery } from './store.ts';
import type { DeliveryResult, Outgoing } from './target.ts';

/** What shaping needs. */
export interface ShapeDeps {
  readonly vault: Pick<Vault, 'unlock'>;
  readonly routing: Routing;
  readonly source: string;
  /** Whether a destination takes EventBridge's envelope, as EventBridge gives it where no rule shapes the event. */
  readonly takesBusEvents: (destination: string) => boolean;
}

/** What leaves, or why nothing does. */
export type Shaped = { readonly outgoing: Outgoing } | { readonly result: DeliveryResult };

/** Adds what a rule declared of the person, from the vault. Doubtful identifiers may be somebody else's and stay. */
async function withIdentifiers(deps: ShapeDeps, event: PrivacyEvent, route: Route, requestId: RequestId | null): Promise<PrivacyEvent> {
  if (route.identifiers.length === 0 || requestId === null) return event;
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
 * Gives what leaves for a delivery: the event with what its rule declared of the person, shaped by its rule. A vault that
 * was destroyed, a path parameter that the event has not, and a template that gave no JSON are refused; a key that is not there just now is tried again.
 */
export async function shapeDelivery(deps: ShapeDeps, due: DueDelivery): Promise<Shaped> {
  const route = deps.routing.route(due.rule, due.target);
  // Another process may know a rule that this one does not, while a new version is rolled out; a rule that is gone for good ends with the delivery's time.
  if (route === undefined) return { result: { kind: 'again', code: 'RULE_REMOVED' } };
  const stored = eventOf({ id: due.event_id, seq: due.seq, type: due.type, request_id: due.request_id, at: due.at, detail: due.detail }, { source: deps.source, nameOf: deps.routing.nameOf });
  let event: PrivacyEvent;
  try {
    event = await withIdentifiers(deps, stored, route, due.request_id);
  } catch (error) {
    if (!isFailure(error)) throw error;
    return { result: { kind: error.code === 'KEY_UNAVAILABLE' ? 'again' : 'refused', code: error.code } };
  }
  const busEvent = deps.routing.toBus(event);
  const pathParameters: string[] = [];
  for (const parameter of route.pathParameters) {
    const value = parameter.startsWith('$.') ? readPath(busEvent, parameter) : parameter;
    if (typeof value !== 'string' && typeof value !== 'number') return { result: { kind: 'refused', code: 'PATH_PARAMETER_MISSING' } };
    pathParameters.push(String(value));
  }
  const about = { deliveryId: due.id, event, pathParameters };
  if (route.transform === undefined) {
    if (deps.takesBusEvents(due.destination)) return { outgoing: { ...about, body: JSON.stringify(busEvent), contentType: 'application/json' } };
    return { outgoing: { ...about, body: JSON.stringify(toCloudEvent(event)), contentType: 'application/cloudevents+json' } };
  }
  const body = transform(busEvent, route.transform, { ...deps.routing.contextOf(route.rule), ingestionTime: isoTime(event.at) });
  return isJson(body, route.transform) ? { outgoing: { ...about, body, contentType: 'application/json' } } : { result: { kind: 'refused', code: 'INVALID_JSON' } };
}
