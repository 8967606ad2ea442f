/** A privacy event as it is stored and matched: codes, ids, counts. It names a person by a pseudonym, and carries none of the person's identifiers. */
export interface PrivacyEvent {
  /** A UUID, the same for every delivery of the event: what a consumer is idempotent by. */
  readonly id: string;
  /** The place in the order of all events. */
  readonly seq: number;
  /** Such as `request.closed`, or the name that the configuration gives it. */
  readonly type: string;
  readonly source: string;
  /** The pseudonym of the person: the id of the request, `req_…`. Absent where an event is about no request. */
  readonly subject?: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Where the events are, in Amazon's terms: what stands in the envelope. */
export interface BusPlace {
  readonly account: string;
  readonly region: string;
}

/** The envelope in which Amazon EventBridge matches and delivers an event; the order of its fields is the order on the wire. */
export interface BusEvent {
  readonly version: '0';
  readonly id: string;
  readonly 'detail-type': string;
  readonly source: string;
  readonly account: string;
  /** Whole seconds, as EventBridge writes it. */
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: Readonly<Record<string, unknown>>;
}

/** A CloudEvent 1.0 in its structured JSON form. */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: Readonly<Record<string, unknown>>;
}

/** Gives the event as EventBridge has it after `PutEvents`, but for the id, which EventBridge would make anew: `detail.event_id` stays. */
export function toBusEvent(event: PrivacyEvent, place: BusPlace): BusEvent {
  return {
    version: '0',
    id: event.id,
    'detail-type': event.type,
    source: event.source,
    account: place.account,
    time: new Date(event.at).toISOString().replace(/\.\d+Z$/u, 'Z'),
    region: place.region,
    resources: [],
    detail: event.detail,
  };
}

/** What leaves where no rule shapes an event: EventBridge's envelope where the receiver takes that, and a CloudEvent otherwise. */
export function unshaped(event: PrivacyEvent, busEvent: BusEvent, takesBusEvents: boolean): { readonly body: string; readonly contentType: 'application/json' | 'application/cloudevents+json' } {
  return takesBusEvents ? { body: JSON.stringify(busEvent), contentType: 'application/json' } : { body: JSON.stringify(toCloudEvent(event)), contentType: 'application/cloudevents+json' };
}

/** Gives the event as a CloudEvent. */
export function toCloudEvent(event: PrivacyEvent): CloudEvent {
  return {
    specversion: '1.0',
    id: event.id,
    source: event.source,
    type: event.type,
    ...(event.subject === undefined ? {} : { subject: event.subject }),
    time: new Date(event.at).toISOString(),
    datacontenttype: 'application/json',
    data: event.detail,
  };
}

/** The partition of AWS that a region belongs to. */
export function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}
