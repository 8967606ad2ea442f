import type { Storage } from '@google-cloud/storage';
import { Failure, createGoogleTokens, vendorFailure, type ConnectorContext } from '../../connector-kit/index.ts';
import type { GcsConfig } from './config.ts';

/** An answer of Google Cloud Storage other than success. */
export class GcsRefusal extends Error {
  /** The HTTP status, by the name under which the SDK looks for it. */
  readonly code: number;
  /** Google's reason, `retentionPolicyNotMet`; undefined where the body had none. */
  readonly reason: string | undefined;
  readonly retryAfter: string | null;

  constructor(status: number, reason: string | undefined, retryAfter: string | null) {
    super(`Google Cloud Storage answered ${status}`);
    this.name = 'GcsRefusal';
    this.code = status;
    this.reason = reason;
    this.retryAfter = retryAfter;
  }
}

/** The failure of a refusal that the caller has no use for. Google's reasons are of a fixed list and name nobody. */
export function failureOf({ code, reason, retryAfter }: GcsRefusal, now: number): Failure {
  const isSlow = reason === 'rateLimitExceeded' || reason === 'userRateLimitExceeded';
  return vendorFailure(isSlow ? 429 : code, { retryAfter, ...(reason === undefined ? {} : { vendorCode: reason }), now });
}

/** Reads, lists and deletes objects; `read_write` does not do for holds and policies. */
const scope = 'https://www.googleapis.com/auth/devstorage.full_control';

/** What the SDK hands to what carries its calls. */
interface SdkRequest {
  readonly uri: string;
  readonly method?: string;
  readonly qs?: Readonly<Record<string, string | number | boolean | null | undefined>>;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}
type SdkCallback = (error: Error | null, body?: unknown, response?: unknown) => void;

function addressOf({ uri, qs = {} }: SdkRequest): string {
  const url = new URL(uri);
  // An address is normalised on its way: a name of dots would be another object.
  if (url.href !== uri) throw new Failure('UNSUPPORTED', 'An object has a name that cannot be written as the path of an address');
  for (const [name, value] of Object.entries(qs)) if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
  return url.href;
}

function reasonIn(text: string): string | undefined {
  return /"reason"\s*:\s*"(\w{1,60})"/u.exec(text)?.[1];
}

async function exchange(context: ConnectorContext, tokenOf: () => string, request: SdkRequest): Promise<unknown> {
  const url = addressOf(request);
  const headers: Record<string, string> = { authorization: `Bearer ${tokenOf()}` };
  const body = request.json === undefined ? {} : { body: JSON.stringify(request.json) };
  if (request.json !== undefined) headers['content-type'] = 'application/json';
  const answer = await context.fetch(url, { method: request.method ?? 'GET', headers, ...body });
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (!answer.ok) throw new GcsRefusal(answer.status, reasonIn(bytes.toString('utf8')), answer.headers.get('retry-after'));
  if (request.qs?.['alt'] === 'media') return { bytes, contentType: answer.headers.get('content-type') ?? undefined };
  if (bytes.length === 0) return answer.status === 204 ? undefined : malformed();
  if (request.method === 'DELETE') return malformed();
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return malformed();
  }
}

function malformedFailure(): Failure {
  return new Failure('VENDOR_MALFORMED', 'Google Cloud Storage answered with something of another shape');
}

function malformed(): never {
  throw malformedFailure();
}

/** Calls to Google Cloud Storage through the official SDK, over the guarded fetch. */
export interface GcsGateway {
  readonly storage: Storage;
  /** Makes calls with the SDK. A refusal is a `GcsRefusal`; everything else that is thrown is a failure. */
  readonly send: <Value>(call: (storage: Storage) => Promise<Value>) => Promise<Value>;
  /** As `send`, and every refusal is thrown as its failure. */
  readonly must: <Value>(call: (storage: Storage) => Promise<Value>) => Promise<Value>;
  /** Reads an object's bytes. The SDK would do so by a stream past the guard. */
  readonly download: (bucket: string, name: string, generation: string) => Promise<{ readonly bytes: Buffer; readonly contentType: string | undefined }>;
}

/**
 * Makes the gateway for one step. The SDK's own transport is replaced where it hands over a request that is ready but for its credentials
 * (`makeAuthenticatedRequest`), and so is its way of getting these, which would ask the machine it runs on.
 */
export async function createGcsGateway(config: GcsConfig, context: ConnectorContext): Promise<GcsGateway> {
  const sdk = await import('@google-cloud/storage');
  const storage = new sdk.Storage({ apiEndpoint: config.endpoint, useAuthWithCustomEndpoint: true, projectId: 'unused', retryOptions: { autoRetry: false } });
  const tokenOf = createGoogleTokens(config.credentials, scope, context);
  // Who waits for the SDK. It reads answers inside of its callbacks, so what it stumbles over there would reach nobody.
  const waiting = new Set<(error: unknown) => void>();
  const carry = async (request: SdkRequest, callback: SdkCallback): Promise<void> => {
    const settled = await exchange(context, tokenOf, request).then(
      (body) => ({ error: null, body }),
      (error: unknown) => ({ error: error instanceof Error ? error : malformedFailure(), body: undefined }),
    );
    try {
      callback(settled.error, settled.body, { statusCode: 200, body: settled.body });
    } catch (error) {
      for (const reject of waiting) reject(error);
    }
  };
  const { getCredentials, authClient } = storage.makeAuthenticatedRequest;
  storage.makeAuthenticatedRequest = Object.assign((request: SdkRequest, callback: SdkCallback): void => void carry(request, callback), { getCredentials, authClient }) as unknown as Storage['makeAuthenticatedRequest'];
  const run = async <Value>(call: (storage: Storage) => Promise<Value>, isLast: boolean): Promise<Value> => {
    let stumbled: (error: unknown) => void = () => undefined;
    const stumbling = new Promise<never>((_resolve, reject) => {
      stumbled = reject;
    });
    waiting.add(stumbled);
    try {
      return await Promise.race([call(storage), stumbling]);
    } catch (error) {
      if (error instanceof GcsRefusal) throw isLast ? failureOf(error, context.now()) : error;
      if (error instanceof Failure) throw error;
      if (context.signal.aborted) throw error;
      // The SDK stumbled over the answer. Its error may quote it, so it goes no further.
      throw malformedFailure();
    } finally {
      waiting.delete(stumbled);
    }
  };
  return {
    storage,
    send: async (call) => run(call, false),
    must: async (call) => run(call, true),
    download: async (bucket, name, generation) =>
      run(async () => {
        const uri = `${config.endpoint}/storage/v1/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(name)}`;
        return (await exchange(context, tokenOf, { uri, qs: { alt: 'media', generation } })) as { bytes: Buffer; contentType: string | undefined };
      }, false),
  };
}
