/** Where at Amazon the resources are. In a template the account and the others may be what the template's language puts in their place. */
export interface EventBridgePlace {
  /** `aws`, `aws-cn`, `aws-us-gov`. */
  readonly partition: string;
  readonly region: string;
  readonly account: string;
  readonly bus: string;
  /** Goes before every name, and marks what is Quittance's own. */
  readonly prefix: string;
}

/** A secret that a connection holds: the reference of the configuration, never the value. */
export interface SecretSlot {
  /** `${env:NAME}` or `${file:/path}`. */
  readonly reference: string;
  /** Goes before the value: `Bearer `. */
  readonly before: string;
  /** The place in the configuration, as a JSON pointer. */
  readonly at: string;
}

/** How a connection proves who calls. */
export type ConnectionAuth =
  | { readonly type: 'BASIC'; readonly username: string; readonly secret: SecretSlot }
  | { readonly type: 'API_KEY'; readonly header: string; readonly secret: SecretSlot }
  | {
      readonly type: 'OAUTH_CLIENT_CREDENTIALS';
      readonly endpoint: string;
      readonly method: 'GET' | 'POST' | 'PUT';
      readonly clientId: string;
      readonly secret: SecretSlot;
      /** Go into the body of the request for a token. */
      readonly body: Readonly<Record<string, string>>;
    };

/** An EventBridge connection. */
export interface ConnectionResource {
  readonly name: string;
  /** Says whose it is: connections cannot be tagged. */
  readonly description: string;
  readonly auth: ConnectionAuth;
}

/** An EventBridge API destination. */
export interface ApiDestinationResource {
  readonly name: string;
  /** Says whose it is: API destinations cannot be tagged. */
  readonly description: string;
  readonly connection: string;
  readonly endpoint: string;
  readonly method: string;
  readonly ratePerSecond: number;
}

/** A target of a rule: an API destination, how it is called, and what becomes of an event that it does not take. */
export interface TargetResource {
  readonly id: string;
  readonly destination: string;
  readonly transformer?: { readonly InputPathsMap: Readonly<Record<string, string>>; readonly InputTemplate: string };
  readonly pathParameters: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  /** After the first try: 0 to 185. */
  readonly retries: number;
  /** 60 to 86,400. */
  readonly ageSeconds: number;
}

/** An EventBridge rule. */
export interface RuleResource {
  readonly name: string;
  readonly arn: string;
  readonly description: string;
  /** JSON. */
  readonly pattern: string;
  readonly state: 'ENABLED' | 'DISABLED';
  readonly targets: readonly TargetResource[];
}

/** A policy of AWS. */
export interface Policy {
  readonly Version: '2012-10-17';
  readonly Statement: readonly Readonly<Record<string, unknown>>[];
}

/** The SQS queue for what could not be delivered. */
export interface QueueResource {
  readonly name: string;
  readonly arn: string;
  readonly retentionSeconds: number;
  readonly policy: Policy;
}

/** The role that EventBridge takes on to call API destinations. */
export interface RoleResource {
  readonly name: string;
  readonly arn: string;
  readonly trust: Policy;
  readonly policyName: string;
  readonly policy: Policy;
}

/** Something that an operator should know before it is provisioned. */
export interface ProvisionNote {
  /** The place in the configuration, as a JSON pointer. */
  readonly at: string;
  readonly message: string;
}

/** All that the rules of a configuration need at Amazon; empty where no rule has an API destination. */
export interface Resources {
  readonly place: EventBridgePlace;
  readonly queue?: QueueResource;
  readonly role?: RoleResource;
  readonly connections: readonly ConnectionResource[];
  readonly destinations: readonly ApiDestinationResource[];
  readonly rules: readonly RuleResource[];
  /** What Quittance itself must be allowed, so that it can put events on the bus. */
  readonly publisher: Policy;
  readonly notes: readonly ProvisionNote[];
}

/** The tag by which a queue, a role and a rule are known as Quittance's own; its value is the prefix. */
export const ownerTag = 'quittance:prefix';

/** The words by which a connection and an API destination, which cannot be tagged, are known as Quittance's own. */
export const ownerWords = (prefix: string): string => `Managed by Quittance, prefix ${prefix}.`;

/** The part of the names that all resources of a prefix start with. */
export const nameStart = (prefix: string): string => `${prefix}-`;

/** The ARN of a rule. */
export function ruleArn({ partition, region, account, bus }: EventBridgePlace, name: string): string {
  return `arn:${partition}:events:${region}:${account}:rule/${bus === 'default' ? '' : `${bus}/`}${name}`;
}

/** The ARN of the event bus. */
export function busArn({ partition, region, account, bus }: EventBridgePlace): string {
  return `arn:${partition}:events:${region}:${account}:event-bus/${bus}`;
}
