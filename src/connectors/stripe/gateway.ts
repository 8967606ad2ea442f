import { Stripe } from 'stripe';
import type { z } from 'zod';
import { Failure, vendorFailure, type ConnectorContext } from '../../connector-kit/index.ts';
import type { StripeConfig } from './config.ts';

/** Stripe's answer to one call: the body, or a refusal that the caller may know what to do with. */
export type Answer<Body> =
  | { readonly ok: true; readonly body: Body }
  /** A 4xx other than 401, 403, 408, 409, 425 and 429. `says` tests the vendor's message, which may quote the person and goes no further. */
  | { readonly ok: false; readonly status: number; readonly code: string | undefined; readonly says: (pattern: RegExp) => boolean };

/** Calls to Stripe through the official SDK, over the guarded fetch. */
export interface StripeGateway {
  /** Makes one call. Throws `VENDOR_*` and `CONNECTION_AUTH`; answers other refusals. A body of another shape is `VENDOR_MALFORMED`. */
  readonly ask: <Schema extends z.ZodType>(schema: Schema, call: (stripe: Stripe) => Promise<unknown>) => Promise<Answer<z.output<Schema>>>;
  /** As `ask`, and every refusal is thrown as `CONNECTION_REFUSED`. */
  readonly must: <Schema extends z.ZodType>(schema: Schema, call: (stripe: Stripe) => Promise<unknown>) => Promise<z.output<Schema>>;
  /**
   * As `ask`, for a POST whose effect was just seen to be missing. Stripe keeps the first answer under a key, a 500 too: a replayed 500
   * therefore says nothing new, and the next generation of the key is used.
   */
  readonly keyed: <Schema extends z.ZodType>(
    schema: Schema,
    keyOf: (generation: number) => string,
    call: (stripe: Stripe, idempotencyKey: string) => Promise<unknown>,
  ) => Promise<Answer<z.output<Schema>>>;
}

/** Stored 500s are rare, and each generation was one real execution: more than this many is an outage. */
const generationsMax = 5;

type Raw = { readonly kind: 'body'; readonly body: unknown } | Refusal | { readonly kind: 'failure'; readonly failure: Failure; readonly replayed: boolean };
interface Refusal {
  readonly kind: 'refusal';
  readonly status: number;
  readonly code: string | undefined;
  readonly message: string;
}

/** Makes the gateway for one step. */
export function createStripeGateway(config: StripeConfig, context: ConnectorContext): StripeGateway {
  const url = new URL(config.base_url);
  let response: Response | undefined;
  let thrown: unknown;
  const observed: typeof globalThis.fetch = async (input, init) => {
    try {
      response = withoutNotice(await context.fetch(input, init));
      return response;
    } catch (error) {
      thrown = error;
      throw error;
    }
  };
  const stripe = new Stripe(config.api_key, {
    host: url.hostname,
    port: url.port === '' ? (url.protocol === 'http:' ? '80' : '443') : url.port,
    protocol: url.protocol === 'http:' ? 'http' : 'https',
    httpClient: Stripe.createFetchHttpClient(observed),
    maxNetworkRetries: 0,
    telemetry: false,
    ...(config.api_version === undefined ? {} : { apiVersion: config.api_version as NonNullable<Stripe.StripeConfig['apiVersion']> }),
  });

  const send = async (call: (client: Stripe) => Promise<unknown>): Promise<Raw> => {
    response = undefined;
    thrown = undefined;
    try {
      const body = await call(stripe);
      // The SDK takes any status for success as long as the body has no `error`.
      return seen(response, undefined) ?? { kind: 'body', body };
    } catch (error) {
      if (thrown !== undefined) throw thrown;
      const raw = seen(response, error);
      if (raw !== undefined) return raw;
      return { kind: 'failure', failure: new Failure('VENDOR_MALFORMED', 'Stripe answered with something that is not its JSON'), replayed: false };
    }
  };
  const seen = (answer: Response | undefined, error: unknown): Exclude<Raw, { kind: 'body' }> | undefined => {
    if (answer === undefined || answer.status < 300) return undefined;
    const { status } = answer;
    const { code, message } = error instanceof Stripe.errors.StripeError ? error : { code: undefined, message: '' };
    if (status === 400 && code === 'rate_limit') return failed(429, code, answer);
    if (status < 400 || [401, 403, 408, 409, 425, 429].includes(status) || status >= 500) return failed(status, code, answer);
    return { kind: 'refusal', status, code, message };
  };
  const failed = (status: number, code: string | undefined, answer: Response): Exclude<Raw, { kind: 'body' }> => ({
    kind: 'failure',
    failure: refusalOf(status, code, context.now(), answer.headers.get('retry-after')),
    replayed: status >= 500 && answer.headers.get('idempotent-replayed') === 'true',
  });

  const ask: StripeGateway['ask'] = async (schema, call) => {
    const raw = await send(call);
    if (raw.kind === 'failure') throw raw.failure;
    return read(schema, raw);
  };
  return {
    ask,
    must: async (schema, call) => {
      const answer = await ask(schema, call);
      if (!answer.ok) throw refusalOf(answer.status, answer.code, context.now());
      return answer.body;
    },
    keyed: async (schema, keyOf, call) => {
      for (let generation = 1; ; generation += 1) {
        const raw = await send(async (client) => call(client, keyOf(generation)));
        if (raw.kind !== 'failure') return read(schema, raw);
        if (!raw.replayed || generation === generationsMax) throw raw.failure;
      }
    },
  };
}

/** The SDK prints this header's text, whatever it says, as a warning of the process. */
function withoutNotice(answer: Response): Response {
  if (!answer.headers.has('stripe-notice')) return answer;
  const headers = new Headers(answer.headers);
  headers.delete('stripe-notice');
  return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers });
}

/** The failure for a refused call; Stripe's codes are of a fixed list and name nobody. */
export function refusalOf(status: number, code: string | undefined, now: number, retryAfter: string | null = null): Failure {
  return vendorFailure(status, { retryAfter, ...(code === undefined ? {} : { vendorCode: code }), now });
}

function read<Schema extends z.ZodType>(schema: Schema, raw: Exclude<Raw, { kind: 'failure' }>): Answer<z.output<Schema>> {
  if (raw.kind === 'refusal') return { ok: false, status: raw.status, code: raw.code, says: (pattern) => pattern.test(raw.message) };
  const parsed = schema.safeParse(raw.body);
  if (!parsed.success) throw new Failure('VENDOR_MALFORMED', 'Stripe answered with an object of another shape');
  return { ok: true, body: parsed.data };
}
