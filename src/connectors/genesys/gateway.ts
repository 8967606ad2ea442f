import { z } from 'zod';
import { createClientCredentials, Failure, isNestedTooDeep, vendorFailure, type ConnectorContext } from '../../connector-kit/index.ts';
import { hostsOf, type GenesysConfig } from './config.ts';

/** One call to the platform. */
export interface Call {
  /** Below the API's host: `/api/v2/…`. */
  readonly path: string;
  /** Makes it a POST. */
  readonly body?: unknown;
  readonly requestId?: string;
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The platform's API with the connection's token. */
export interface Gateway {
  /** Calls with a token; a token that the platform refuses is given up, and the call is made once more with a new one. */
  readonly call: (context: ConnectorContext, call: Call) => Promise<Response>;
  /** What the client may do, where the login says so. */
  readonly scopes: (context: ConnectorContext) => Promise<readonly string[] | undefined>;
}

const problemSchema = z.object({ code: z.string().regex(/^[a-z]+(\.[a-z]+){1,5}$/u) });

/** Makes the gateway of one connection; its tokens are shared by all steps of this process. */
export function createGateway(config: GenesysConfig): Gateway {
  const { api, login } = hostsOf(config);
  const credentials = createClientCredentials({ tokenUrl: `${login}/oauth/token`, clientId: config.client_id, clientSecret: config.client_secret });
  const once = async (context: ConnectorContext, call: Call, token: string): Promise<Response> =>
    context.fetch(`${api}${call.path}`, {
      method: call.body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(call.requestId === undefined ? {} : { 'x-genesys-request-id': call.requestId }),
        ...call.headers,
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    });
  return {
    call: async (context, call) => {
      const { token } = await credentials.token(context);
      const response = await once(context, call, token);
      if (response.status !== 401) return response;
      credentials.forget(token);
      const again = await credentials.token(context);
      const second = await once(context, call, again.token);
      // A token that is refused at once: the next step must not start with it either.
      if (second.status === 401) credentials.forget(again.token);
      return second;
    },
    scopes: async (context) => (await credentials.token(context)).scopes,
  };
}

/** Reads a successful answer by its schema; throws `VENDOR_MALFORMED` without a word of what was in it. */
export async function readAnswer<Output>(response: Response, schema: z.ZodType<Output>): Promise<Output> {
  const parsed = schema.safeParse(parse(await response.text()));
  if (!parsed.success) throw new Failure('VENDOR_MALFORMED', `Genesys answered ${response.status} with a body of another shape than documented`);
  return parsed.data;
}

/**
 * The failure for a call that was not done. A 403 without a body is how a missing scope shows, so that is what it says; `scope` is what the call needs.
 */
export async function refusal(response: Response, now: number, scope: string): Promise<Failure> {
  const text = await response.text();
  if (response.status === 403 && text.trim() === '') {
    return new Failure('CONNECTION_REFUSED', `Genesys answered 403 without a word: the OAuth client very likely lacks the scope ${scope}, or its role the permission of that name`);
  }
  const code = problemSchema.safeParse(parse(text)).data?.code;
  return vendorFailure(response.status, { retryAfter: response.headers.get('retry-after'), now, ...(code === undefined ? {} : { vendorCode: code }) });
}

/** Whether a 404 is the platform's own word for what it does not know. One from a proxy would otherwise pass for a job that is gone. */
export async function isUnknown(response: Response): Promise<boolean> {
  if (response.status !== 404) return false;
  if (problemSchema.safeParse(parse(await response.text())).data?.code === 'not.found') return true;
  throw new Failure('VENDOR_MALFORMED', 'A 404 came that is not the platform speaking; check the region or base_url');
}

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return isNestedTooDeep(value) ? undefined : value;
  } catch {
    // The schema that reads it refuses it; the text may quote the person and must go nowhere.
    return undefined;
  }
}
