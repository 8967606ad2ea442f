import { AsyncLocalStorage } from 'node:async_hooks';
import { Failure } from '../platform/failure.ts';
import type { ConnectorContext } from './connector.ts';
import { createGoogleTokens, type GoogleAccount } from './google-account.ts';
import { vendorFailure } from './vendor-failure.ts';

/** Which of Google's services is called, where, and as whom. */
export interface GoogleCallsOptions {
  /** As it is named in a failure. */
  readonly service: string;
  /** Scheme, host and port. */
  readonly endpoint: string;
  readonly credentials: GoogleAccount;
  readonly scope: string;
}

/** Calls of an official SDK of Google's, over a fetch of ours. */
export interface GoogleCalls {
  /** What a client of the SDK is made with, so that it speaks REST, no call goes past the guard, and none asks the machine for credentials. */
  readonly clientOptions: object;
  /**
   * Makes one call of the SDK, and throws what the fetch or Google's answer came to, never what the SDK made of it, which may quote it. Calls may run side by side.
   * `VENDOR_MALFORMED` where the SDK stumbled over an answer. The fetch is given the signal.
   */
  readonly run: <Value>(call: () => Promise<Value>, signal?: AbortSignal) => Promise<Value>;
}

interface Running {
  readonly signal: AbortSignal | undefined;
  thrown: unknown;
}

const wordIn = (text: string): string | undefined => /"status"\s*:\s*"([A-Z_]{1,40})"/u.exec(text)?.[1];

/** Makes the calls of one connection. What the context's fetch throws comes out of `run` as it is. */
export function createGoogleCalls({ service, endpoint, credentials, scope }: GoogleCallsOptions, context: Pick<ConnectorContext, 'fetch' | 'now'>): GoogleCalls {
  const tokenOf = createGoogleTokens(credentials, scope, context);
  // Whose call a fetch belongs to, since the SDK does not say.
  const running = new AsyncLocalStorage<Running>();
  const carry = async (url: string, init: RequestInit, signal: AbortSignal | undefined): Promise<Response> => {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${tokenOf()}`);
    headers.delete('content-length');
    const answer = await context.fetch(url, { method: init.method ?? 'GET', headers, ...(signal === undefined ? {} : { signal }), ...(init.body === undefined ? {} : { body: init.body }) });
    if (!answer.ok) {
      const code = wordIn(await answer.text());
      throw vendorFailure(answer.status, { retryAfter: answer.headers.get('retry-after'), ...(code === undefined ? {} : { vendorCode: code }), now: context.now() });
    }
    return answer;
  };
  const { protocol, hostname, port } = new URL(endpoint);
  return {
    clientOptions: {
      fallback: true,
      auth: {
        fetch: async (url: string, init: RequestInit) => {
          const mine = running.getStore();
          return carry(url, init, mine?.signal).catch((error: unknown) => {
            if (mine !== undefined) mine.thrown = error;
            throw error;
          });
        },
        getRequestHeaders: async () => new Headers({ authorization: `Bearer ${tokenOf()}` }),
        universeDomain: 'googleapis.com',
      },
      apiEndpoint: hostname,
      port: port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port),
      protocol: protocol.slice(0, -1),
      universeDomain: 'googleapis.com',
    },
    run: async (call, signal) => {
      const mine: Running = { signal, thrown: undefined };
      try {
        return await running.run(mine, call);
      } catch (error) {
        if (mine.thrown !== undefined) throw mine.thrown;
        if (error instanceof Failure) throw error;
        throw new Failure('VENDOR_MALFORMED', `${service} answered with something of another shape`);
      }
    },
  };
}
