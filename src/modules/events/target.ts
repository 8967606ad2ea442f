import type { PrivacyEvent } from './domain/event.ts';

/** One event on its way to one target of one rule. */
export interface Outgoing {
  /** The id of the delivery, the same for each try. */
  readonly deliveryId: string;
  /** With the identifiers that the rule declared, in `detail.identifiers`. */
  readonly event: PrivacyEvent;
  /** The text that leaves, where a rule shapes it or the target takes whatever it is given: a JSON document. */
  readonly body: string;
  /** `application/json` where a rule shaped the body or it has EventBridge's envelope, and otherwise that of a CloudEvent in structured form. */
  readonly contentType: 'application/json' | 'application/cloudevents+json';
  /** What fills each `*` of the endpoint, in order; not encoded. */
  readonly pathParameters: readonly string[];
}

/**
 * What became of one try. `again`: not delivered, as far as one can see, and another try may help, not before `retryAfterMs` where the target said so.
 * `refused`: another try would fare no better. `gone`: the receiver wants nothing any more (410), so nothing is sent there until an operator says so.
 * A code is a code: no text of the receiver, which may repeat a person's data.
 */
export type DeliveryResult =
  | { readonly kind: 'delivered'; /** What the target calls it: a message id, an offset. Never the text of an answer. */ readonly reference?: string }
  | { readonly kind: 'again'; readonly code: string; readonly retryAfterMs?: number }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'gone'; readonly code: string };

/** A place that events are sent to. */
export interface EventTarget {
  /** How many deliveries it takes at once. */
  readonly batchMax: number;
  /**
   * `one-by-one`: the events of one person are given one after the other, the next when the one before is delivered or given up, and a batch has at most one of
   * each person. `in-batch`: the target keeps the order of a batch, so that it may have several of one person; where one of them fails, those of the same
   * person behind it come back as `again`, but for those that were delivered all the same.
   */
  readonly order: 'one-by-one' | 'in-batch';
  /** Sends a batch, and says of each what became of it, in the order given, within about 30 s; `INTERRUPTED` only where the signal was given. Never throws. */
  readonly deliver: (batch: readonly Outgoing[], signal: AbortSignal) => Promise<readonly DeliveryResult[]>;
  /** Lets go of sockets. */
  readonly close: () => Promise<void>;
}
