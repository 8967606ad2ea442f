import { z } from 'zod';
import type { EventsConfig } from '../../platform/config/events.ts';
import { Failure } from '../../platform/failure.ts';
import { unshaped, type BusEvent, type PrivacyEvent } from './domain/event.ts';
import { explainMatch, type MatchExplanation } from './domain/explain-match.ts';
import { createRouting, type Route } from './domain/routing.ts';
import { parsePattern } from './domain/pattern.ts';
import { isJson, transform, unsafeVariables, type UnsafeVariable } from './domain/transform.ts';

/** What would leave for one target. */
export interface TestedTarget {
  readonly id: string;
  readonly destination: string;
  readonly kind: string;
  readonly recipient?: string;
  readonly content_type: string;
  /** The text that would leave. */
  readonly body: string;
  /** False where the template gave no JSON: the delivery would be a dead letter. */
  readonly is_json: boolean;
  readonly unsafe: readonly UnsafeVariable[];
}

/** What a rule makes of an event: whether it matches, why not, and what would leave. */
export interface TestedRule {
  readonly rule: string;
  readonly state: 'enabled' | 'disabled';
  readonly matched: boolean;
  readonly explanation: MatchExplanation;
  /** Kinds of identifiers that the event has and the rule did not declare: they would not leave. */
  readonly kept_back: readonly string[];
  /** Empty where it does not match. */
  readonly targets: readonly TestedTarget[];
}

const detailSchema = z.record(z.string(), z.unknown());
const busEventSchema = z.looseObject({ id: z.string().optional(), 'detail-type': z.string(), source: z.string(), time: z.iso.datetime({ offset: true }).optional(), detail: detailSchema });
const cloudEventSchema = z.looseObject({ specversion: z.literal('1.0'), id: z.string(), source: z.string(), type: z.string(), subject: z.string().optional(), time: z.iso.datetime({ offset: true }).optional(), data: detailSchema });

/** Reads an event as EventBridge has it, or as a CloudEvent. Fails with `VALIDATION_FAILED`. */
function readEvent(value: unknown): { readonly event: PrivacyEvent; readonly given: Partial<BusEvent> } {
  const bus = busEventSchema.safeParse(value);
  const about = (id: string, type: string, source: string, time: string | undefined, detail: Readonly<Record<string, unknown>>): PrivacyEvent => {
    const subject = detail['request_id'];
    return { id, seq: 0, type, source, ...(typeof subject === 'string' ? { subject } : {}), at: Date.parse(time ?? '1970-01-01T00:00:00Z'), detail };
  };
  if (bus.success) {
    const { id = '00000000-0000-0000-0000-000000000000', 'detail-type': type, source, time, detail } = bus.data;
    return { event: about(id, type, source, time, detail), given: bus.data as Partial<BusEvent> };
  }
  const cloud = cloudEventSchema.safeParse(value);
  if (!cloud.success) throw new Failure('VALIDATION_FAILED', 'The event must be a JSON object as EventBridge has it (source, detail-type, detail), or a CloudEvent 1.0 (specversion, id, source, type, data)');
  return { event: about(cloud.data.id, cloud.data.type, cloud.data.source, cloud.data.time, cloud.data.data), given: {} };
}

/** Leaves of the identifiers of an event what a rule declared, and names the other kinds. */
function declared(event: PrivacyEvent, kinds: readonly string[]): { readonly event: PrivacyEvent; readonly keptBack: readonly string[] } {
  const { identifiers } = event.detail;
  if (typeof identifiers !== 'object' || identifiers === null) return { event, keptBack: [] };
  const entries = Object.entries(identifiers);
  const left = entries.filter(([kind]) => kinds.includes(kind));
  const { identifiers: _all, ...detail } = event.detail;
  return { event: { ...event, detail: left.length === 0 ? detail : { ...detail, identifiers: Object.fromEntries(left) } }, keptBack: entries.flatMap(([kind]) => (kinds.includes(kind) ? [] : [kind])) };
}

/** Says of every rule of a configuration what it makes of an event. Sends nothing. Fails with `CONFIG_INVALID`, and with `VALIDATION_FAILED` for what is no event. */
export function testRules(config: EventsConfig, value: unknown): readonly TestedRule[] {
  const routing = createRouting(config);
  const { event: whole, given } = readEvent(value);
  return Object.entries(config.rules).map(([name, rule]) => {
    const { event, keptBack } = declared(whole, rule.identifiers);
    const busEvent: BusEvent = { ...routing.toBus(event), ...given, detail: event.detail };
    const explanation = explainMatch({ name, pattern: parsePattern(rule.EventPattern) }, busEvent);
    const targetOf = (id: string): TestedTarget[] => {
      const route = routing.route(name, id);
      return route === undefined ? [] : [testedTarget(config, route, event, busEvent, routing.contextOf(name))];
    };
    return { rule: name, state: rule.state, matched: explanation.matched && rule.state === 'enabled', explanation, kept_back: keptBack, targets: explanation.matched ? rule.targets.flatMap(({ id }) => targetOf(id)) : [] };
  });
}

function testedTarget(config: EventsConfig, route: Route, event: PrivacyEvent, busEvent: BusEvent, context: { readonly ruleName: string; readonly ruleArn: string }): TestedTarget {
  const destination = config.destinations[route.destination];
  const kind = destination?.kind ?? '';
  const { body, contentType } =
    route.transform === undefined
      ? unshaped(event, busEvent, kind === 'http')
      : { body: transform(busEvent, route.transform, { ...context, ingestionTime: new Date(event.at).toISOString() }), contentType: 'application/json' };
  return {
    id: route.target,
    destination: route.destination,
    kind,
    ...(destination?.recipient === undefined ? {} : { recipient: destination.recipient }),
    content_type: contentType,
    body,
    is_json: isJson(body, route.transform),
    unsafe: route.transform === undefined ? [] : unsafeVariables(route.transform),
  };
}
