import { z } from 'zod';
import { Failure } from '../platform/failure.ts';
import type { ConnectorContext } from './connector.ts';
import { vendorFailure } from './vendor-failure.ts';

/** What of a step's surroundings is needed to get a token. */
export type TokenContext = Pick<ConnectorContext, 'fetch' | 'now' | 'signal'>;

/** Where tokens come from, and as whom. */
export interface ClientCredentialsOptions {
  /** Its origin has to be in the connector's egress list. */
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Scopes to ask for, separated by spaces; what the client may do at all when absent. */
  readonly scope?: string;
  /** Where the client's secret is put: the `Authorization` header (`basic`, when absent) or the form (`body`). */
  readonly authentication?: 'basic' | 'body';
  /** `POST` when absent, as RFC 6749, section 3.2 wants it. With `GET` what would be in the form is in the query. */
  readonly method?: 'POST' | 'PUT' | 'GET';
}

/** A token that can be used now. */
export interface AccessToken {
  readonly token: string;
  /** What it allows, where the vendor says so. */
  readonly scopes?: readonly string[];
}

/** The tokens of one connection. */
export interface ClientCredentials {
  /**
   * Answers a token with time left, fetching one only when needed and only once however many ask. Throws `CONNECTION_AUTH` where the client is
   * refused, and the other vendor failures.
   */
  readonly token: (context: TokenContext) => Promise<AccessToken>;
  /** Drops a token that the vendor refused with 401; another one that came in the meantime stays. */
  readonly forget: (token: string) => void;
}

interface Held {
  readonly access: AccessToken;
  /** Milliseconds since the epoch from which it is not used any more. */
  readonly until: number;
}

interface Flight {
  readonly result: Promise<AccessToken>;
  readonly leader: AbortSignal;
}

/** A token is given up this long before it expires, so that it does not do so on the way. A tenth of its life where that is shorter. */
const earlyMs = 60_000;
/** `expires_in` is only recommended (RFC 6749, section 5.1): a token without it is trusted this long. */
const unknownLifeMs = 300_000;
/** Nothing may live longer than this here, whatever is said. */
const lifeMsMax = 86_400_000;

/** RFC 6749, section 5.2. Only these words of an answer are ever repeated. */
const oauthErrors = ['invalid_request', 'invalid_client', 'invalid_grant', 'unauthorized_client', 'unsupported_grant_type', 'invalid_scope'] as const;

const answerSchema = z.object({
  access_token: z.string().regex(/^[\x21-\x7e]{1,8192}$/u),
  token_type: z.string().regex(/^bearer$/iu),
  expires_in: z.coerce.number().min(0).optional(),
  scope: z.string().optional(),
});
const refusalSchema = z.object({ error: z.enum(oauthErrors) });

/**
 * Makes the tokens of one connection by the OAuth 2 client credentials grant (RFC 6749, section 4.4). A token is reused until shortly before it
 * expires, or until `forget`. It is kept in memory only; neither it nor any text of an answer is in an error.
 */
export function createClientCredentials(options: ClientCredentialsOptions): ClientCredentials {
  let held: Held | undefined;
  let flight: Flight | undefined;

  const lead = async (context: TokenContext): Promise<AccessToken> => {
    const result = fetchToken(context, options);
    const mine: Flight = { result: result.then(({ access }) => access), leader: context.signal };
    flight = mine;
    try {
      held = await result;
      return await mine.result;
    } catch (error) {
      await mine.result.catch(() => undefined);
      throw error;
    } finally {
      if (flight === mine) flight = undefined;
    }
  };

  return {
    token: async (context) => {
      for (;;) {
        context.signal.throwIfAborted();
        if (held !== undefined && context.now() < held.until) return held.access;
        if (flight === undefined) return lead(context);
        const { result, leader } = flight;
        try {
          return await unlessAborted(result, context.signal);
        } catch (error) {
          // The one who asked for all was called off; that says nothing about the vendor, so the next in line asks.
          if (context.signal.aborted || !leader.aborted) throw error;
        }
      }
    },
    forget: (token) => {
      if (held?.access.token === token) held = undefined;
    },
  };
}

async function unlessAborted<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  let off = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    const abort = (): void => reject(new Failure('VENDOR_UNAVAILABLE', 'The step ended while it waited for a token'));
    signal.addEventListener('abort', abort, { once: true });
    off = () => signal.removeEventListener('abort', abort);
  });
  try {
    return await Promise.race([result, aborted]);
  } finally {
    off();
  }
}

/** RFC 6749, section 2.3.1 and appendix B: both parts are form-encoded before they are joined. */
function basic(clientId: string, clientSecret: string): string {
  const encode = (value: string): string => new URLSearchParams({ '': value }).toString().slice(1);
  return `Basic ${Buffer.from(`${encode(clientId)}:${encode(clientSecret)}`).toString('base64')}`;
}

async function fetchToken(context: TokenContext, options: ClientCredentialsOptions): Promise<Held> {
  const { tokenUrl, clientId, clientSecret, scope, authentication = 'basic', method = 'POST' } = options;
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (scope !== undefined) form.set('scope', scope);
  const headers: Record<string, string> = { accept: 'application/json' };
  if (method !== 'GET') headers['content-type'] = 'application/x-www-form-urlencoded';
  if (authentication === 'basic') {
    headers['authorization'] = basic(clientId, clientSecret);
  } else {
    form.set('client_id', clientId);
    form.set('client_secret', clientSecret);
  }
  const url = new URL(tokenUrl);
  if (method === 'GET') for (const [name, value] of form) url.searchParams.set(name, value);
  const response = await context.fetch(url.href, { method, headers, ...(method === 'GET' ? {} : { body: form.toString() }) });
  const now = context.now();
  const body = parse(await response.text());
  if (response.status === 400 || response.status === 401) throw refused(response.status, body);
  if (response.status !== 200) throw vendorFailure(response.status, { retryAfter: response.headers.get('retry-after'), now });
  const answer = answerSchema.safeParse(body);
  if (!answer.success) throw new Failure('VENDOR_MALFORMED', 'The token endpoint answered 200 with something that is not a bearer token');
  const { access_token: token, expires_in: seconds, scope: granted } = answer.data;
  const lifeMs = seconds === undefined ? unknownLifeMs : Math.min(lifeMsMax, seconds * 1000);
  const scopes = granted?.split(' ').filter((each) => each !== '');
  return { access: { token, ...(scopes === undefined ? {} : { scopes }) }, until: now + lifeMs - Math.min(earlyMs, lifeMs / 10) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Whoever reads it finds out by its schema; the text itself must go nowhere.
    return undefined;
  }
}

function refused(status: number, body: unknown): Failure {
  const error = refusalSchema.safeParse(body).data?.error;
  const word = error === undefined ? '' : ` (${error})`;
  return new Failure('CONNECTION_AUTH', `The token endpoint answered ${status}${word}: it gives this client no token; check the client id, its secret, its scopes and the region`);
}
