import { Failure, isNestedTooDeep, parseRetryAfter, vendorFailure } from '../../connector-kit/index.ts';
import type { Authenticate, CallContext } from './authenticate.ts';
import type { Declaration, Fits, When } from './declaration.ts';
import { valueAt, valuesAt } from './json-path.ts';
import type { RenderedRequest } from './render-request.ts';

/** What a system answered. */
export interface Answer {
  readonly status: number;
  /** The header, where there is one. */
  readonly retryAfter: string | null;
  /** Whether there was no body, JSON, or something else, such as a proxy's page. */
  readonly content: 'none' | 'json' | 'other';
  /** The JSON; undefined where there was none. */
  readonly body: unknown;
}

/** What is told of a request on its way. */
export interface Watch {
  /** It is about to leave: from here on it may reach the system, whatever is heard. */
  readonly sending: () => Promise<void>;
  /** It was answered. */
  readonly heard: (status: number) => void;
}

/** Sends one request with its credentials, once more with new ones where the old ones may only have ended, and reads the answer. */
export type Send = (context: CallContext, request: RenderedRequest, watch?: Watch) => Promise<Answer>;

/**
 * Makes the sender of one connection. A good status with a body that says it is JSON and is not fails with `VENDOR_MALFORMED`; what the declaration
 * calls a failure whatever was asked fails as it says.
 */
export function createSend(authenticate: Authenticate, failures: Declaration['failures']): Send {
  const once = async (context: CallContext, request: RenderedRequest, watch?: Watch): Promise<{ response: Response; refused: () => boolean }> => {
    const { url, method, headers, body, refused } = await authenticate(context, request);
    await watch?.sending();
    const response = await context.fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
    watch?.heard(response.status);
    return { response, refused };
  };
  return async (context, request, watch) => {
    const first = await once(context, request, watch);
    const isStale = first.response.status === 401 && first.refused();
    const answer = await readAnswer(isStale ? (await once(context, request, watch)).response : first.response);
    const failure = firstFit(failures, answer);
    if (failure === undefined) return answer;
    throw declaredFailure(answer, failure, context.now());
  };
}

async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  const base = { status: response.status, retryAfter: response.headers.get('retry-after') };
  if (text.trim() === '') return { ...base, content: 'none', body: undefined };
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    const saysJson = /[/+]json\b/iu.test(response.headers.get('content-type') ?? '');
    if (response.ok && saysJson) throw new Failure('VENDOR_MALFORMED', `The system answered ${response.status} with a body that is not JSON`);
    return { ...base, content: 'other', body: undefined };
  }
  if (isNestedTooDeep(body)) throw new Failure('VENDOR_MALFORMED', `The system answered ${response.status} with JSON that is nested too deep`);
  return { ...base, content: 'json', body };
}

/** The first rule that an answer fits. An answer with a body that is not JSON fits only a rule that says so. */
export function firstFit<Rule extends Fits>(rules: readonly Rule[], answer: Answer): Rule | undefined {
  return rules.find((rule) => rule.status.includes(answer.status) && (answer.content !== 'other' || rule.any_body) && holds(rule.when, answer.body));
}

/** A failure that the declaration says an answer is. */
export function declaredFailure(answer: Answer, rule: { readonly retry: 'later' | 'operator'; readonly retry_after?: string | undefined }, now: number): Failure {
  const detail = `The system answered ${answer.status}, which its declaration calls a failure`;
  if (rule.retry === 'operator') return new Failure('CONNECTION_REFUSED', detail);
  const waitMs = retryAfterMs(answer, rule.retry_after, now);
  return new Failure(answer.status === 429 ? 'VENDOR_RATE_LIMITED' : 'VENDOR_UNAVAILABLE', detail, waitMs === undefined ? {} : { retryAfterMs: waitMs });
}

/** When to ask again, as the answer says: at a path, in seconds, or in the header. */
export function retryAfterMs(answer: Answer, path: string | undefined, now: number): number | undefined {
  const found = path === undefined ? undefined : valueAt(answer.body, path);
  return parseRetryAfter(typeof found === 'number' ? String(Math.ceil(found)) : typeof found === 'string' ? found : answer.retryAfter, now);
}

/** True where all conditions hold for a JSON value. */
export function holds(when: When, body: unknown): boolean {
  return Object.entries(when).every(([path, expected]) => {
    if (typeof expected !== 'object' || expected === null || Array.isArray(expected)) return isOneOf(valueAt(body, path), expected);
    const found = valuesAt(body, path);
    if ('exists' in expected) return found.some((each) => each !== null) === expected.exists;
    const wanted = expected.every;
    return found.length > 0 && found.every((each) => isOneOf(each, wanted));
  });
}

function isOneOf(value: unknown, expected: unknown): boolean {
  return Array.isArray(expected) ? (expected as readonly unknown[]).includes(value) : value === expected;
}

/** What an answer means that no rule is about: never anything good. 409 and 503 are tried again later, with the same key. */
export function unexpected(answer: Answer, now: number): Failure {
  if (answer.status >= 200 && answer.status < 300) return new Failure('VENDOR_MALFORMED', `The system answered ${answer.status} in a way that no rule of its declaration is about`);
  return vendorFailure(answer.status, { retryAfter: answer.retryAfter, now });
}
