import { Failure } from '../../platform/failure.ts';
import { parseJson } from '../../platform/http/server.ts';

/** The attributes of a message, names in lower case: the headers of HTTP and Kafka, the attributes of Pub/Sub. */
export type EventAttributes = Readonly<Record<string, string | undefined>>;

/** A message of an event bus, as it came. */
export interface BusMessage {
  readonly attributes: EventAttributes;
  readonly body: Buffer;
  /** What the bus itself knows the message by, for one that says no id of an event. */
  readonly busId: string | undefined;
}

/** What is in the envelope. */
export interface OpenedMessage {
  /** The id of the event, by which it is accepted once. */
  readonly id: string;
  /** The request, as JSON. */
  readonly body: Buffer;
}

/** The largest message taken, in bytes, by whatever bus: as over HTTP. */
const bodyMax = 64 * 1024;
/** CloudEvents and all buses let ids be longer than anybody's is. */
const idMax = 512;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** In CloudEvents an id is one of its source only. */
const cloudEventId = (source: unknown, id: string): string => (typeof source === 'string' ? JSON.stringify([source, id]) : id);

interface Inner {
  readonly id: string | undefined;
  readonly content: unknown;
}

/** Looks into the three envelopes that are known by their own fields; a body that is none of them is the request itself. */
function unwrap(content: unknown, attributes: EventAttributes): Inner {
  const binaryId = attributes['ce-id'] ?? attributes['ce_id'];
  if (binaryId !== undefined) return { id: cloudEventId(attributes['ce-source'] ?? attributes['ce_source'], binaryId), content };
  if (!isObject(content)) return { id: undefined, content };
  const { id } = content;
  if (typeof id === 'string' && typeof content['specversion'] === 'string') {
    const { data, data_base64: encoded } = content;
    return { id: cloudEventId(content['source'], id), content: typeof encoded === 'string' ? parseJson(Buffer.from(encoded, 'base64')) : data };
  }
  if (typeof id === 'string' && typeof content['detail-type'] === 'string') return { id, content: content['detail'] };
  return { id: undefined, content };
}

/**
 * Takes a request out of the envelope that a bus sent it in: an event of Amazon EventBridge, whose `detail` it is; a CloudEvent, structured or binary; or none. The id is, in this order,
 * `event_id` beside the request's own fields, the attribute `event_id`, the id of the envelope, and the bus's own id. Fails with `BODY_TOO_LARGE`, `BODY_MALFORMED` and `VALIDATION_FAILED`, naming
 * a field and never its value.
 */
export function openEnvelope({ attributes, body, busId }: BusMessage): OpenedMessage {
  if (body.length > bodyMax) throw new Failure('BODY_TOO_LARGE', `A message may have at most ${bodyMax} bytes`);
  const inner = unwrap(parseJson(body), attributes);
  if (!isObject(inner.content)) throw new Failure('VALIDATION_FAILED', 'The event carries no JSON object', { field: '/' });
  const { event_id: ownId, ...request } = inner.content;
  if (ownId !== undefined && typeof ownId !== 'string') throw new Failure('VALIDATION_FAILED', '/event_id must be text', { field: '/event_id' });
  const id = ownId ?? attributes['event_id'] ?? inner.id ?? busId;
  if (id === undefined || id === '' || id.length > idMax) {
    throw new Failure('VALIDATION_FAILED', `/event_id must be the id of the event, 1 to ${idMax} characters; without one a repetition could not be told from a new request`, { field: '/event_id' });
  }
  return { id, body: Buffer.from(JSON.stringify(request), 'utf8') };
}
