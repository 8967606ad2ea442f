import { toCloudEvent, type PrivacyEvent } from '../../src/modules/events/domain/event.ts';
import type { DeliveryResult, Outgoing } from '../../src/modules/events/target.ts';
import type { TargetDeps } from '../../src/modules/events/targets/target-deps.ts';

/** The time by which the targets of a test work. */
export const nowMs = Date.parse('2026-11-21T10:00:00.000Z');

/** Makes a delivery of an event, as the dispatcher gives it to a target: a CloudEvent, unless the test says what its rule made of it. */
export function outgoing(seq: number, rest: { readonly subject?: string | null; readonly detail?: Readonly<Record<string, unknown>>; readonly shaped?: string; readonly pathParameters?: readonly string[]; readonly delivery?: string } = {}): Outgoing {
  const subject = rest.subject === undefined ? 'req_aaaaaaaaaaaaaaaaaaaaaaaaaa' : rest.subject;
  const event: PrivacyEvent = {
    id: `0192aaaa-0000-7000-8000-${String(seq).padStart(12, '0')}`,
    seq,
    type: 'request.closed',
    source: 'quittance',
    ...(subject === null ? {} : { subject }),
    at: nowMs + seq,
    detail: rest.detail ?? { request_id: subject, verdict: 'fulfilled', n: seq },
  };
  return {
    deliveryId: rest.delivery ?? `delivery-${seq}`,
    event,
    body: rest.shaped ?? JSON.stringify(toCloudEvent(event)),
    contentType: rest.shaped === undefined ? 'application/cloudevents+json' : 'application/json',
    pathParameters: rest.pathParameters ?? [],
  };
}

/** What a target needs, with no limit of its own. */
export const targetDeps: TargetDeps = { at: '/events/destinations/test', clock: { now: () => nowMs }, acquire: async () => ({ allowed: true, waitMs: 0, remaining: 1 }) };

/** A signal that nobody gives. */
export const unending: AbortSignal = new AbortController().signal;

/** Results in short: `delivered`, or the kind and code. */
export function inShort(results: readonly DeliveryResult[]): readonly string[] {
  return results.map((each) => (each.kind === 'delivered' ? 'delivered' : `${each.kind} ${each.code}`));
}
