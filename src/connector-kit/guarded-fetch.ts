import { Agent, fetch as undiciFetch, type RequestInit as UndiciRequestInit } from 'undici';
import { Failure } from '../platform/failure.ts';

/** The largest answer that is read, in bytes: a vendor's page of 1,000 records stays well under it. */
const bodyBytesMax = 8 * 1024 * 1024;

/** What the guard needs to know. */
export interface GuardOptions {
  /** The origins that may be called; anything else throws `EGRESS_FORBIDDEN`. */
  readonly egress: readonly string[];
  /** How long one call may take, answer included, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the call when the step ends. */
  readonly signal: AbortSignal;
  /** Waits for a place in the connection's rate limit, or throws `VENDOR_RATE_LIMITED`. */
  readonly acquire: () => Promise<void>;
  /** Carries the call; the network when absent. */
  readonly transport?: Transport;
}

/** Carries one call to a vendor and answers as soon as the head of its answer is there; follows no redirect. */
export type Transport = (url: URL, init: UndiciRequestInit) => Promise<TransportAnswer>;

/** What a call was answered with. */
export interface TransportAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Iterable<[string, string]>;
  readonly body: ReadableStream<Uint8Array> | null;
}

/** One pool for all connections of a process: keep-alive saves a TLS handshake per call. */
const agent = new Agent({ keepAliveTimeout: 30_000, connections: 64 });

/** The network. */
export const networkTransport: Transport = async (url, init) => {
  const answer = await undiciFetch(url, { ...init, dispatcher: agent });
  return { status: answer.status, statusText: answer.statusText, headers: answer.headers, body: answer.body as ReadableStream<Uint8Array> | null };
};

/**
 * Makes the `fetch` that a connector is given. It never follows a redirect, since following one could delete somebody else's data
 * (Twilio answers 308 for a merged profile), and it reads the whole body within the limits before it answers.
 */
export function createGuardedFetch(options: GuardOptions): typeof globalThis.fetch {
  const allowed = new Set(options.egress.map((origin) => new URL(origin).origin));
  const transport = options.transport ?? networkTransport;
  const guarded = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const url = new URL(typeof input === 'string' ? input : input instanceof URL ? input.href : input.url);
    if (!allowed.has(url.origin)) throw new Failure('EGRESS_FORBIDDEN', `The host ${url.host} is not on the connector's egress list`);
    await options.acquire();
    const timeout = AbortSignal.timeout(options.timeoutMs);
    const signals = [timeout, options.signal, ...(init?.signal === null || init?.signal === undefined ? [] : [init.signal])];
    try {
      const answer = await transport(url, { ...(init as unknown as UndiciRequestInit), redirect: 'manual', signal: AbortSignal.any(signals) });
      const body = await readBounded(answer.body);
      const empty = answer.status === 204 || answer.status === 205 || answer.status === 304;
      const response = new Response(empty ? null : body, { status: answer.status, statusText: answer.statusText, headers: [...answer.headers] });
      Object.defineProperty(response, 'url', { value: url.href });
      return response;
    } catch (error) {
      if (error instanceof Failure) throw error;
      if (timeout.aborted) throw new Failure('VENDOR_TIMEOUT', `The vendor did not answer within ${options.timeoutMs} ms`);
      throw new Failure('VENDOR_UNAVAILABLE', 'The connection to the vendor failed', { cause: error });
    }
  };
  return guarded;
}

async function readBounded(stream: ReadableStream<Uint8Array> | null): Promise<Buffer<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let size = 0;
  if (stream !== null) {
    for await (const part of stream) {
      size += part.byteLength;
      if (size > bodyBytesMax) throw new Failure('VENDOR_MALFORMED', `The vendor's answer is larger than ${bodyBytesMax} bytes`);
      parts.push(part);
    }
  }
  return Buffer.concat(parts);
}
