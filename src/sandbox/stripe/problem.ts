/** The error object that Stripe sends. */
export interface StripeErrorFields {
  readonly type: 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error';
  readonly message: string;
  readonly code?: string;
  readonly param?: string;
  readonly doc_url?: string;
}

/** A refusal in Stripe's own shape, thrown by a route and answered by the gate. */
export class StripeProblem extends Error {
  readonly status: number;
  readonly fields: StripeErrorFields;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, fields: StripeErrorFields, headers: Readonly<Record<string, string>> = {}) {
    super(fields.message);
    this.status = status;
    this.fields = fields;
    this.headers = headers;
  }
}

/** 404 `resource_missing`, or 400 when the missing object was named by a parameter instead of by the path. */
export function missing(noun: string, id: string, param = 'id', status: 400 | 404 = 404): StripeProblem {
  return new StripeProblem(status, {
    code: 'resource_missing',
    doc_url: 'https://stripe.com/docs/error-codes/resource-missing',
    message: `No such ${noun}: '${id}'`,
    param,
    type: 'invalid_request_error',
  });
}

/** 400 `invalid_request_error` about one parameter. */
export function invalid(message: string, param?: string, code?: string): StripeProblem {
  return new StripeProblem(400, {
    type: 'invalid_request_error',
    message,
    ...(param === undefined ? {} : { param }),
    ...(code === undefined ? {} : { code, doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll('_', '-')}` }),
  });
}

/** 429 with code `rate_limit`. Stripe names no Retry-After of its own; the sentinel gives one. */
export function rateLimited(headers: Readonly<Record<string, string>> = {}): StripeProblem {
  return new StripeProblem(429, rateLimitFields, { 'stripe-rate-limited-reason': 'global-rate', ...headers });
}

const rateLimitFields: StripeErrorFields = {
  code: 'rate_limit',
  doc_url: 'https://stripe.com/docs/error-codes/rate-limit',
  message:
    'Testmode request rate limit exceeded, the rate limits in testmode are lower than livemode. You can learn more about rate limits here https://stripe.com/docs/rate-limits.',
  type: 'invalid_request_error',
};

/** The body that Stripe sends with a status when nothing more is known about the cause. */
export function bodyForStatus(status: number): { error: StripeErrorFields } {
  if (status === 401) return { error: { type: 'invalid_request_error', message: 'Invalid API Key provided: sk_test_****' } };
  if (status === 429) return { error: rateLimitFields };
  if (status >= 500) {
    return { error: { type: 'api_error', message: 'An unknown error occurred. If the problem persists, please contact us.' } };
  }
  return { error: { type: 'invalid_request_error', message: 'The request was unacceptable.' } };
}
