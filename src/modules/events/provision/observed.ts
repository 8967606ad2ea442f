/** A connection as EventBridge describes it: no secret is among it. */
export interface ObservedConnection {
  readonly arn: string;
  readonly description: string;
  readonly state: string;
  readonly auth: Readonly<Record<string, unknown>>;
}

/** An API destination as EventBridge describes it. */
export interface ObservedDestination {
  readonly arn: string;
  readonly description: string;
  readonly connectionArn: string;
  readonly endpoint: string;
  readonly method: string;
  readonly ratePerSecond: number;
}

/** A rule as EventBridge describes it, with its targets in the API's own form. */
export interface ObservedRule {
  readonly isOwn: boolean;
  readonly description: string;
  readonly pattern: string;
  readonly state: string;
  readonly targets: readonly Readonly<Record<string, unknown>>[];
}

/** The queue as SQS describes it. */
export interface ObservedQueue {
  readonly isOwn: boolean;
  readonly url: string;
  readonly policy: string;
  readonly retentionSeconds: number;
  /** How many dead letters wait in it, about. */
  readonly messages: number;
}

/** The role as IAM describes it. */
export interface ObservedRole {
  readonly isOwn: boolean;
  readonly trust: string;
  readonly policies: Readonly<Record<string, string>>;
}

/** What is at Amazon under the names of a prefix. */
export interface Observed {
  readonly queue: ObservedQueue | undefined;
  readonly role: ObservedRole | undefined;
  readonly connections: ReadonlyMap<string, ObservedConnection>;
  readonly destinations: ReadonlyMap<string, ObservedDestination>;
  readonly rules: ReadonlyMap<string, ObservedRule>;
}
