import { createHmac } from 'node:crypto';
import { createClientCredentials, type ConnectorContext } from '../../connector-kit/index.ts';
import type { Auth } from './declaration.ts';
import type { RenderedRequest } from './render-request.ts';

/** What the credentials of a call need of their surroundings. */
export type CallContext = Pick<ConnectorContext, 'fetch' | 'now' | 'signal'>;

/** A request that carries its credentials; `refused` is told when they were answered with 401, and says whether others are worth a try. */
export interface AuthenticatedRequest extends RenderedRequest {
  readonly refused: () => boolean;
}

/** Adds credentials to a request. */
export type Authenticate = (context: CallContext, request: RenderedRequest) => Promise<AuthenticatedRequest>;

/** Makes what adds credentials by the scheme of one connection. Tokens are reused until shortly before they end. */
export function createAuthenticate(auth: Auth): Authenticate {
  const final = (request: RenderedRequest, headers: Readonly<Record<string, string>>): AuthenticatedRequest => ({ ...request, headers: { ...request.headers, ...headers }, refused: () => false });
  if (auth.scheme === 'oauth2') return createBearer(auth);
  return async (context, request) => {
    switch (auth.scheme) {
      case 'none':
        return final(request, {});
      case 'basic':
        return final(request, { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`, 'utf8').toString('base64')}` });
      case 'bearer':
        return final(request, { authorization: `Bearer ${auth.token}` });
      case 'api_key': {
        if (auth.in === 'header') return final(request, { [auth.name.toLowerCase()]: auth.key });
        const url = new URL(request.url);
        url.searchParams.set(auth.name, auth.key);
        return final({ ...request, url }, {});
      }
      case 'hmac': {
        const timestamp = String(Math.floor(context.now() / 1000));
        return final(request, { [auth.timestamp_header.toLowerCase()]: timestamp, [auth.header.toLowerCase()]: `${auth.prefix}${sign(auth, timestamp, request)}` });
      }
    }
  };
}

function sign(auth: Extract<Auth, { scheme: 'hmac' }>, timestamp: string, { method, url, body = '' }: RenderedRequest): string {
  const text = auth.over === 'body' ? body : [timestamp, method, `${url.pathname}${url.search}`, body].join('\n');
  return createHmac(auth.algorithm, auth.secret).update(text, 'utf8').digest(auth.encoding);
}

function createBearer(auth: Extract<Auth, { scheme: 'oauth2' }>): Authenticate {
  const tokens = createClientCredentials({
    tokenUrl: auth.token_url,
    clientId: auth.client_id,
    clientSecret: auth.client_secret,
    authentication: auth.authentication,
    ...(auth.scope === undefined ? {} : { scope: auth.scope }),
  });
  return async (context, request) => {
    const { token } = await tokens.token(context);
    const refused = (): boolean => {
      tokens.forget(token);
      return true;
    };
    return { ...request, headers: { ...request.headers, authorization: `Bearer ${token}` }, refused };
  };
}
