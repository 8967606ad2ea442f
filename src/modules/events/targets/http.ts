import { setTimeout as pause } from 'node:timers/promises';
import { createClientCredentials, createGuardedFetch, networkTransport, type NetworkRules } from '../../../connector-kit/index.ts';
import { Failure } from '../../../platform/failure.ts';
import { version } from '../../../version.ts';
import type { DeliveryResult, EventTarget, Outgoing } from '../target.ts';
import { attemptBatch, type Attempt } from './attempt.ts';
import { again, ownRateLimit, refused, retryByAnswer } from './delivery-result.ts';
import { fillEndpoint } from './fill-endpoint.ts';
import type { HttpSettings } from './settings.ts';
import { statusOnly } from './status-only.ts';
import type { TargetDeps } from './target-deps.ts';
import { unlessAborted } from './unless-aborted.ts';

/** How many calls one batch makes side by side; each is about another person. */
const batchMax = 16;

/**
 * EventBridge comes again for these and for every 5xx; a receiver that is too slow for its own time-out says 408. A 407 is hidden by fetch, which takes it for a failed
 * connection: it is seen only where another transport carries the call.
 */
const retried: ReadonlySet<number> = new Set([401, 407, 408, 409, 429]);

/** What the connection or the target sets by itself. */
const reserved = /^(?:connection|content-length|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade|user-agent)$/iu;

/** How a call shows who makes it. */
interface Authorisation {
  readonly headers: Readonly<Record<string, string>>;
  /** Present where another token can be had. */
  readonly renew?: () => void;
}

/**
 * Sends events to an API destination as EventBridge calls them: the body of the rule by the method, `*` of the endpoint filled, static headers under those of the
 * authorisation. 2xx is delivered, whatever body; 401, 407 (after one fresh token), 408, 409, 429, 5xx, time-outs and failed connections are worth another try; everything else is
 * refused as `HTTP_<status>`. No redirect is followed. Fails with `CONFIG_INVALID` for a setting that cannot be.
 */
export function createHttpTarget(settings: HttpSettings, deps: TargetDeps): EventTarget {
  const network: NetworkRules = { refusesPrivate: !settings.allow_private_network };
  const guard = { network, timeoutMs: settings.timeout_seconds * 1000, ...(deps.transport === undefined ? {} : { transport: deps.transport }) };
  const fetch = createGuardedFetch({ egress: [originOf(settings.endpoint, deps.at)], ...guard, transport: statusOnly(deps.transport) });
  const authorise = createAuthorisation(settings, deps, guard);
  const headers = headersOf(settings, deps.at);
  const hasBody = settings.method !== 'GET' && settings.method !== 'HEAD';

  const call = async (url: string, { body, contentType }: Outgoing, by: Authorisation, signal: AbortSignal): Promise<Response> => {
    const all = new Headers(hasBody ? { 'content-type': contentType === 'application/json' ? 'application/json; charset=utf-8' : contentType } : {});
    for (const [name, value] of [...headers, ...Object.entries(by.headers)]) all.set(name, value);
    return fetch(url, { method: settings.method, headers: all, signal, ...(hasBody ? { body } : {}) });
  };
  const send = async (outgoing: Outgoing, { signal, resultOf }: Attempt): Promise<DeliveryResult> => {
    try {
      const url = fillEndpoint(settings.endpoint, outgoing.pathParameters);
      if (url === undefined) return refused('PATH_PARAMETER');
      const place = await unlessAborted(deps.acquire(), signal);
      if (!place.allowed) return again(ownRateLimit, place.retryAfterMs);
      if (place.waitMs > 0) await pause(place.waitMs, undefined, { signal });
      const by = await authorise(signal);
      let answer = await call(url, outgoing, by, signal);
      if ((answer.status === 401 || answer.status === 407) && by.renew !== undefined) {
        by.renew();
        answer = await call(url, outgoing, await authorise(signal), signal);
      }
      if (answer.ok) return { kind: 'delivered' };
      return retried.has(answer.status) || answer.status >= 500 ? retryByAnswer(answer, deps.clock.now()) : refused(`HTTP_${answer.status}`);
    } catch (error) {
      return resultOf(error);
    }
  };
  return {
    batchMax,
    order: 'one-by-one',
    deliver: async (batch, signal) => attemptBatch(batch, signal, async (attempt) => Promise.all(batch.map(async (each) => send(each, attempt)))),
    close: async () => networkTransport.release(network),
  };
}

function originOf(url: string, at: string): string {
  const { origin, username, password } = new URL(url);
  if (origin.includes('*') || username !== '' || password !== '') throw new Failure('CONFIG_INVALID', `${at}/endpoint must have no * in its host and no credentials`);
  return origin;
}

function headersOf({ headers }: HttpSettings, at: string): readonly (readonly [string, string])[] {
  const wrong = Object.keys(headers).find((name) => reserved.test(name));
  if (wrong !== undefined) throw new Failure('CONFIG_INVALID', `${at}/headers/${wrong} is set by the connection itself`);
  return [...Object.entries(headers), ['user-agent', `Quittance/${version}`]];
}

function createAuthorisation({ auth }: HttpSettings, deps: TargetDeps, guard: { readonly network: NetworkRules; readonly timeoutMs: number }): (signal: AbortSignal) => Promise<Authorisation> {
  switch (auth.kind) {
    case 'basic':
      return always(deps.at, 'authorization', `Basic ${Buffer.from(`${auth.username}:${auth.password}`, 'utf8').toString('base64')}`);
    case 'bearer':
      return always(deps.at, 'authorization', `Bearer ${auth.token}`);
    case 'api_key':
      return always(deps.at, auth.name, auth.value);
    case 'oauth': {
      const { token_url: tokenUrl, client_id: clientId, client_secret: clientSecret, scope, method } = auth;
      const fetch = createGuardedFetch({ egress: [new URL(tokenUrl).origin], ...guard });
      const tokens = createClientCredentials({ tokenUrl, clientId, clientSecret, method, ...(scope === undefined ? {} : { scope }) });
      return async (signal) => {
        const { token } = await tokens.token({ signal, now: deps.clock.now, fetch: async (url, init) => fetch(url, { ...init, signal }) });
        return { headers: { authorization: `Bearer ${token}` }, renew: () => tokens.forget(token) };
      };
    }
  }
}

function always(at: string, name: string, value: string): () => Promise<Authorisation> {
  const isHeader = (): boolean => {
    try {
      return new Headers({ [name]: value }).has(name);
    } catch {
      return false;
    }
  };
  if (!isHeader()) {
    throw new Failure('CONFIG_INVALID', `${at}/auth must be of letters and signs that a header can have`);
  }
  return async () => ({ headers: { [name]: value } });
}
