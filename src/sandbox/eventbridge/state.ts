import { z } from 'zod';

const faultSchema = z.strictObject({
  /** Such as `PutEvents` or `CreateRole`. */
  operation: z.string(),
  /** `throttle` and `internal` refuse the call; `lost` does the work and drops the connection; `entries` refuses single entries of PutEvents, PutTargets or RemoveTargets. */
  kind: z.enum(['throttle', 'internal', 'lost', 'entries']),
  times: z.int().positive().default(1),
  /** For `entries`: which, counted from 0; all when absent. */
  indices: z.array(z.int().min(0)).optional(),
  /** For `entries`. */
  code: z.string().default('InternalFailure'),
});

/** What can be planted in the EventBridge simulator. */
export const eventBridgeSeedSchema = z.strictObject({
  account: z.string().optional(),
  region: z.string().optional(),
  /** Event buses beside `default`. */
  buses: z.array(z.string()).optional(),
  settings: z
    .strictObject({
      /** How long a connection takes from CREATING over AUTHORIZING to AUTHORIZED. */
      authorizes_after_ms: z.int().min(0).optional(),
      /** How long a change of rules and targets takes to have its effect. */
      applies_after_ms: z.int().min(0).optional(),
      /** How long a new role takes to be known to other services. */
      role_after_ms: z.int().min(0).optional(),
      /** How long an API destination may take to answer. */
      timeout_ms: z.int().positive().optional(),
      /** Permissions that the key lacks: `events:PutRule`. */
      denied: z.array(z.string()).optional(),
      /** Names of connections whose credentials are not accepted, so that they become DEAUTHORIZED. */
      unauthorized: z.array(z.string()).optional(),
    })
    .optional(),
  /** The next so many deliveries are made twice. */
  twice: z.int().min(0).optional(),
  /** Whether what is due is delivered last first. */
  reversed: z.boolean().optional(),
  faults: z.array(faultSchema).optional(),
});
/** The seed of the EventBridge simulator, before it is checked. */
export type EventBridgeSeed = z.input<typeof eventBridgeSeedSchema>;

/** JSON of a request, an answer or an event. */
export type Json = Readonly<Record<string, unknown>>;

/** A target of a rule, as PutTargets gave it. */
export interface Target extends Json {
  readonly Id: string;
  readonly Arn: string;
}

/** A rule with its targets; replaced as a whole when it changes. */
export interface Rule {
  readonly bus: string;
  readonly name: string;
  readonly arn: string;
  readonly pattern: Json | undefined;
  readonly patternText: string | undefined;
  readonly state: string;
  readonly description: string | undefined;
  readonly targets: readonly Target[];
}

/** A connection; the secrets in `auth` never leave but towards the endpoint. */
export interface Connection {
  readonly name: string;
  readonly arn: string;
  readonly description: string | undefined;
  readonly type: string;
  readonly auth: Json;
  readonly createdAt: number;
  readonly modifiedAt: number;
  /** When the credentials that it has were given. */
  readonly authorizingSince: number | undefined;
}

/** An API destination. */
export interface ApiDestination {
  readonly name: string;
  readonly arn: string;
  readonly description: string | undefined;
  readonly connectionArn: string;
  readonly endpoint: string;
  readonly method: string;
  readonly ratePerSecond: number;
  readonly createdAt: number;
  readonly modifiedAt: number;
}

/** An IAM role with its inline policies. */
export interface Role {
  readonly name: string;
  readonly arn: string;
  trust: string;
  readonly policies: Map<string, string>;
  readonly createdAt: number;
}

/** A message of a queue. */
export interface Message {
  readonly id: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
  visibleAt: number;
}

/** An SQS queue. */
export interface Queue {
  readonly name: string;
  readonly arn: string;
  attributes: Readonly<Record<string, string>>;
  messages: Message[];
}

/** One event on its way to one target. */
export interface Delivery {
  readonly event: Json;
  readonly eventText: string;
  readonly ingestedAt: number;
  readonly rule: Rule;
  readonly target: Target;
  attempts: number;
  dueAt: number;
}

/** What became of a delivery in the end. */
export interface Outcome {
  readonly eventId: string;
  readonly rule: string;
  readonly target: string;
  readonly attempts: number;
  readonly outcome: 'delivered' | 'dead-lettered' | 'dropped';
  /** Why it was not delivered. */
  readonly code?: string;
}

/** A misbehaviour of single operations. */
export interface OperationFault extends z.output<typeof faultSchema> {
  left: number;
}

/** Everything that one simulated account holds. */
export interface EventBridgeState {
  account: string;
  region: string;
  readonly buses: Set<string>;
  readonly rules: Map<string, Rule>;
  /** The rules as they were after each change, for changes take a while to have their effect. */
  history: { readonly at: number; readonly rules: readonly Rule[] }[];
  readonly connections: Map<string, Connection>;
  readonly destinations: Map<string, ApiDestination>;
  readonly roles: Map<string, Role>;
  readonly queues: Map<string, Queue>;
  /** When queues were deleted: SQS refuses their names for 60 s. */
  readonly deletedQueues: Map<string, number>;
  /** By ARN. */
  readonly tags: Map<string, Readonly<Record<string, string>>>;
  deliveries: Delivery[];
  outcomes: Outcome[];
  /** Access tokens by the ARN of the connection. */
  readonly tokens: Map<string, string>;
  /** When each API destination may be called next, by its ARN. */
  readonly nextCallAt: Map<string, number>;
  faults: OperationFault[];
  twice: number;
  reversed: boolean;
  settings: { authorizes_after_ms: number; applies_after_ms: number; role_after_ms: number; timeout_ms: number; denied: readonly string[]; unauthorized: readonly string[] };
}

/** An account with nothing in it but the default bus. */
export function createEventBridgeState(): EventBridgeState {
  return {
    account: '000000000000',
    region: 'eu-central-1',
    buses: new Set(['default']),
    rules: new Map(),
    history: [],
    connections: new Map(),
    destinations: new Map(),
    roles: new Map(),
    queues: new Map(),
    deletedQueues: new Map(),
    tags: new Map(),
    deliveries: [],
    outcomes: [],
    tokens: new Map(),
    nextCallAt: new Map(),
    faults: [],
    twice: 0,
    reversed: false,
    // EventBridge gives an endpoint 5 s: docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html.
    settings: { authorizes_after_ms: 0, applies_after_ms: 0, role_after_ms: 0, timeout_ms: 5000, denied: [], unauthorized: [] },
  };
}

/** Plants buses, settings and misbehaviour. */
export function plantEventBridge(state: EventBridgeState, data: unknown): unknown {
  const seed = eventBridgeSeedSchema.parse(data);
  state.account = seed.account ?? state.account;
  state.region = seed.region ?? state.region;
  for (const bus of seed.buses ?? []) state.buses.add(bus);
  const { settings = {} } = seed;
  state.settings = { ...state.settings, ...(Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as Partial<EventBridgeState['settings']>) };
  state.twice = seed.twice ?? state.twice;
  state.reversed = seed.reversed ?? state.reversed;
  state.faults.push(...(seed.faults ?? []).map((fault) => ({ ...fault, left: fault.times })));
  return { account: state.account, region: state.region };
}

/** What is stored, without the secrets of connections. */
export function dumpEventBridge(state: EventBridgeState): unknown {
  return {
    buses: [...state.buses],
    rules: [...state.rules.values()].map(({ pattern: _pattern, ...rule }) => rule),
    connections: [...state.connections.values()].map(({ auth: _auth, ...connection }) => connection),
    api_destinations: [...state.destinations.values()],
    roles: [...state.roles.values()].map((role) => ({ ...role, policies: Object.fromEntries(role.policies) })),
    queues: [...state.queues.values()],
    waiting: state.deliveries.length,
    outcomes: state.outcomes,
  };
}

/** Answers the fault that plays on this call of an operation, and counts it. */
export function takeFault(state: EventBridgeState, operation: string, kinds: readonly OperationFault['kind'][]): OperationFault | undefined {
  const found = state.faults.find((fault) => fault.left > 0 && fault.operation === operation && kinds.includes(fault.kind));
  if (found !== undefined) found.left -= 1;
  return found;
}
