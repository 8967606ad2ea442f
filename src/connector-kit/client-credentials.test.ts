import { describe, expect, it } from 'vitest';
import { createClientCredentials, type ClientCredentialsOptions, type TokenContext } from './client-credentials.ts';

const tokenUrl = 'https://login.example.com/oauth/token';
const secret = 's3cr3t/+ &=';
const options: ClientCredentialsOptions = { tokenUrl, clientId: 'client-1', clientSecret: secret };

/** A token endpoint that gives `token-1`, `token-2`, …, or answers what it is told, when it is told to. */
function endpoint(answer?: () => Response | Promise<Response>) {
  const calls: { readonly headers: Headers; readonly form: URLSearchParams }[] = [];
  let nowMs = 1_000_000;
  const fetch: typeof globalThis.fetch = async (_input, init) => {
    calls.push({ headers: new Headers(init?.headers), form: new URLSearchParams(init?.body as string) });
    return answer?.() ?? Response.json({ access_token: `token-${calls.length}`, token_type: 'bearer', expires_in: 3600 });
  };
  const context = (signal = new AbortController().signal): TokenContext => ({ fetch, now: () => nowMs, signal });
  return { calls, context, fetch, advance: (ms: number) => void (nowMs += ms) };
}

describe('the client credentials grant', () => {
  it('fetches one token and reuses it until shortly before it expires', async () => {
    const { calls, context, advance } = endpoint();
    const { token } = createClientCredentials(options);
    expect(await token(context())).toEqual({ token: 'token-1' });
    advance(3_539_999);
    expect((await token(context())).token).toBe('token-1');
    advance(1);
    expect((await token(context())).token).toBe('token-2');
    expect(calls).toHaveLength(2);
  });

  it('gives the secret in the header, form-encoded, and no part of it in the form', async () => {
    const { calls, context } = endpoint();
    await createClientCredentials(options).token(context());
    const credentials = Buffer.from(calls[0]?.headers.get('authorization')?.replace('Basic ', '') ?? '', 'base64').toString();
    expect(credentials).toBe('client-1:s3cr3t%2F%2B+%26%3D');
    expect(Object.fromEntries(calls[0]?.form ?? [])).toEqual({ grant_type: 'client_credentials' });
  });

  it('gives the secret in the form where the vendor wants it there, and asks for the scope', async () => {
    const { calls, context } = endpoint();
    await createClientCredentials({ ...options, authentication: 'body', scope: 'a b' }).token(context());
    expect(calls[0]?.headers.has('authorization')).toBe(false);
    expect(Object.fromEntries(calls[0]?.form ?? [])).toEqual({ grant_type: 'client_credentials', client_id: 'client-1', client_secret: secret, scope: 'a b' });
  });

  it('says which scopes were granted, where the vendor says so', async () => {
    const { context } = endpoint(() => Response.json({ access_token: 'x', token_type: 'Bearer', scope: 'pii:delete  analytics' }));
    expect((await createClientCredentials(options).token(context())).scopes).toEqual(['pii:delete', 'analytics']);
  });

  it('asks once when many ask at the same time', async () => {
    const { calls, context } = endpoint();
    const { token } = createClientCredentials(options);
    const tokens = await Promise.all(Array.from({ length: 20 }, async () => token(context())));
    expect(new Set(tokens.map((each) => each.token))).toEqual(new Set(['token-1']));
    expect(calls).toHaveLength(1);
  });

  it('asks again for the others when the one who asked first is called off', async () => {
    const first = new AbortController();
    const { calls, context, fetch } = endpoint();
    const hanging: typeof globalThis.fetch = async () =>
      new Promise((_resolve, reject) => first.signal.addEventListener('abort', () => reject(new Error('called off'))));
    const { token } = createClientCredentials(options);
    const leader = token({ ...context(first.signal), fetch: hanging });
    const others = [token({ ...context(), fetch }), token({ ...context(), fetch })];
    first.abort();
    await expect(leader).rejects.toThrow('called off');
    expect((await Promise.all(others)).map((each) => each.token)).toEqual(['token-1', 'token-1']);
    expect(calls).toHaveLength(1);
  });

  it('lets one who waits for another be called off alone', async () => {
    const second = new AbortController();
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { context } = endpoint(async () => {
      await gate;
      return Response.json({ access_token: 'late', token_type: 'bearer', expires_in: 60 });
    });
    const { token } = createClientCredentials(options);
    const leader = token(context());
    const waiting = token(context(second.signal));
    second.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
    release();
    expect((await leader).token).toBe('late');
  });

  it('fails all who wait when the vendor refuses, and asks anew the next time', async () => {
    let status = 401;
    const { calls, context } = endpoint(() => Response.json(status === 401 ? { error: 'invalid_client' } : { access_token: 'x', token_type: 'bearer' }, { status }));
    const { token } = createClientCredentials(options);
    const results = await Promise.allSettled([token(context()), token(context())]);
    expect(results.map((each) => each.status)).toEqual(['rejected', 'rejected']);
    expect(calls).toHaveLength(1);
    status = 200;
    expect((await token(context())).token).toBe('x');
  });

  it('forgets a token that was refused, but not the one that came after it', async () => {
    const { context } = endpoint();
    const { token, forget } = createClientCredentials(options);
    await token(context());
    forget('token-1');
    expect((await token(context())).token).toBe('token-2');
    forget('token-1');
    expect((await token(context())).token).toBe('token-2');
  });

  it.each([
    ['a wrong secret', 401, '{"error":"invalid_client","error_description":"client-1 s3cr3t"}', 'CONNECTION_AUTH', /invalid_client/u],
    ['an unknown grant in words of its own', 400, '{"error":"nonsense s3cr3t"}', 'CONNECTION_AUTH', /answered 400: /u],
    ['a refusal without a body', 401, '', 'CONNECTION_AUTH', /answered 401: /u],
    ['a limit', 429, '{}', 'VENDOR_RATE_LIMITED', /429/u],
    ['an outage', 503, 'down', 'VENDOR_UNAVAILABLE', /503/u],
    ['a page instead of a token', 200, '<html>s3cr3t</html>', 'VENDOR_MALFORMED', /not a bearer token/u],
    ['a token of another type', 200, '{"access_token":"s3cr3t","token_type":"mac"}', 'VENDOR_MALFORMED', /not a bearer token/u],
    ['a token that would break the header', 200, '{"access_token":"s3cr3t\\r\\nx: y","token_type":"bearer"}', 'VENDOR_MALFORMED', /not a bearer token/u],
  ])('answers %s with its failure, and without a word of the answer', async (_name, status, body, code, detail) => {
    const { context } = endpoint(() => new Response(body, { status }));
    const failure: unknown = await createClientCredentials(options).token(context()).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, detail: expect.stringMatching(detail) as string });
    expect(String(failure)).not.toContain('s3cr3t');
  });
});
