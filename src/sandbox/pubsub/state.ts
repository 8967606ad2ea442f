import { z } from 'zod';

/** How the in-house service behaves that takes the events. */
const receiverSchema = z.strictObject({
  /** `ignores`: it is not there. `fails` and `partial`: it says so. `lies`: it says done and deletes nothing. `malformed`: it answers something else. */
  behaviour: z.enum(['honest', 'ignores', 'fails', 'partial', 'lies', 'malformed', 'says_nothing_held']).optional(),
  /** How late it takes an event, in milliseconds. */
  delay_ms: z.int().nonnegative().optional(),
  /** How often it sends each acknowledgement. */
  copies: z.int().positive().optional(),
  /** True: it first says done, and then, late, that it is at it: what came first is overtaken. */
  out_of_order: z.boolean().optional(),
});

/** What can be planted in the Pub/Sub simulator. */
export const pubsubSeedSchema = z.strictObject({
  workstations: z.array(z.strictObject({ user_id: z.string(), name: z.string() })).optional(),
  receiver: receiverSchema.optional(),
  ack_deadline_ms: z.int().positive().optional(),
  /** Acknowledgements of other requests. */
  foreign: z.int().nonnegative().optional(),
  /** Messages in the subscription of requests. */
  requests: z.array(z.strictObject({ data: z.string(), attributes: z.record(z.string(), z.string()).optional(), orderingKey: z.string().optional() })).optional(),
  /** With a number, the subscription of requests has a dead-letter topic, to which a message goes that was given so often. */
  requests_given_most: z.int().positive().optional(),
});
/** The seed of the Pub/Sub simulator, before it is checked. */
export type PubsubSeed = z.input<typeof pubsubSeedSchema>;

/** A message as it is stored. */
export interface Message {
  readonly messageId: string;
  readonly data: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey: string | undefined;
  readonly publishTime: string;
  /** When a subscription gives it again, unless it is acknowledged. Milliseconds since the epoch. */
  visibleAt: number;
  /** The newest id by which it can be acknowledged. */
  ackId: string | undefined;
  /** How often it was given. */
  given: number;
}

/** Everything that one simulated project has. */
export interface PubsubState {
  /** By the topic's name: what the in-house service has not taken yet. */
  readonly events: Message[];
  /** Acknowledgements that wait in the subscription. */
  acknowledgements: Message[];
  /** Requests of others that wait in their subscription, and those that nobody took. */
  requests: Message[];
  readonly deadLetters: Message[];
  requestsGivenMost: number | undefined;
  workstations: { readonly user_id: string; readonly name: string }[];
  /** Idempotency keys that the service has dealt with, and what it said. */
  readonly done: Map<string, Readonly<Record<string, unknown>>>;
  receiver: Required<{ [Key in keyof z.output<typeof receiverSchema>]: Exclude<z.output<typeof receiverSchema>[Key], undefined> }>;
  ackDeadlineMs: number;
  next: number;
}

/** The names that the simulator knows. */
export const pubsubNames = {
  topic: 'projects/sandbox/topics/workstation-events',
  subscription: 'projects/sandbox/subscriptions/quittance-acknowledgements',
  requestsTopic: 'projects/sandbox/topics/privacy-requests',
  requestsSubscription: 'projects/sandbox/subscriptions/quittance-requests',
} as const;

/** A project in which nothing was published. */
export function createPubsubState(): PubsubState {
  return {
    events: [],
    acknowledgements: [],
    requests: [],
    deadLetters: [],
    requestsGivenMost: undefined,
    workstations: [],
    done: new Map(),
    receiver: { behaviour: 'honest', delay_ms: 5000, copies: 1, out_of_order: false },
    ackDeadlineMs: 10_000,
    next: 1,
  };
}

/** Adds a message. */
export function addMessage(state: PubsubState, to: 'events' | 'acknowledgements' | 'requests', data: string, now: number, rest: { readonly attributes?: Readonly<Record<string, string>>; readonly orderingKey?: string | undefined; readonly visibleAt?: number } = {}): Message {
  const message: Message = { messageId: String(1_000_000 + state.next), data, attributes: rest.attributes ?? {}, orderingKey: rest.orderingKey, publishTime: new Date(now).toISOString(), visibleAt: rest.visibleAt ?? now, ackId: undefined, given: 0 };
  state.next += 1;
  state[to].push(message);
  return message;
}

/** Plants workstations and sets how the service behaves. */
export function plantPubsub(state: PubsubState, data: unknown, now: number): { readonly workstations: number } {
  const seed = pubsubSeedSchema.parse(data);
  state.workstations = [...state.workstations, ...(seed.workstations ?? [])];
  state.receiver = { ...state.receiver, ...(Object.fromEntries(Object.entries(seed.receiver ?? {}).filter(([, value]) => value !== undefined)) as Partial<PubsubState['receiver']>) };
  state.ackDeadlineMs = seed.ack_deadline_ms ?? state.ackDeadlineMs;
  for (const { data: text, attributes = {}, orderingKey } of seed.requests ?? []) addMessage(state, 'requests', Buffer.from(text).toString('base64'), now, { attributes, orderingKey });
  state.requestsGivenMost = seed.requests_given_most ?? state.requestsGivenMost;
  for (let at = 0; at < (seed.foreign ?? 0); at += 1) {
    addMessage(state, 'acknowledgements', Buffer.from(JSON.stringify({ event: 'workstation.deleted', idempotency_key: `another-${at}`, status: 'done', counts: { workstations: 7 } })).toString('base64'), now);
  }
  return { workstations: state.workstations.length };
}
