import { lookup as systemLookup, type LookupAddress, type LookupAllOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, fetch as undiciFetch, type RequestInit as UndiciRequestInit } from 'undici';
import { Failure, isFailure } from '../platform/failure.ts';
import type { NetworkRules } from './connector.ts';
import { isInternalAddress } from './internal-address.ts';

/** The largest answer that is read, in bytes: a vendor's page of 1,000 records stays well under it. */
const bodyBytesMax = 8 * 1024 * 1024;

/** What the guard needs to know. */
export interface GuardOptions {
  /** The origins that may be called; anything else throws `EGRESS_FORBIDDEN`. */
  readonly egress: readonly string[];
  /** How long one call may take, answer included, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the call when the step ends; only its own time does when absent. */
  readonly signal?: AbortSignal;
  /** Waits for a place in the connection's rate limit, or throws `VENDOR_RATE_LIMITED`; called at once when absent. */
  readonly acquire?: () => Promise<void>;
  /** What else holds for the connection's calls; nothing when absent. One object for each connection: its sockets are kept by it. */
  readonly network?: NetworkRules;
  /** Carries the call; the network when absent. */
  readonly transport?: Transport;
}

/** Carries one call to a vendor and answers as soon as the head of its answer is there; follows no redirect. */
export type Transport = (url: URL, init: UndiciRequestInit, network?: NetworkRules) => Promise<TransportAnswer>;

/** Carries calls over the network, and lets go of the sockets of a connection that is not used any more. */
export interface NetworkTransport extends Transport {
  /** Closes what is kept open for calls under these rules; calls that are under way fail. */
  readonly release: (network: NetworkRules) => Promise<void>;
}

/** What a call was answered with. */
export interface TransportAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Iterable<[string, string]>;
  readonly body: ReadableStream<Uint8Array> | null;
}

/** One pool for all connections without rules of their own: keep-alive saves a TLS handshake per call. */
const sharedAgent = new Agent({ keepAliveTimeout: 30_000, connections: 64 });

/** Resolves names for a connection; the system's resolver unless a test stands in for it. */
export type ResolveAddresses = (hostname: string, options: LookupAllOptions, callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void) => void;

/**
 * Makes what carries calls over the network. Where a connection refuses internal addresses, the addresses that a name has are checked as the socket
 * connects to them, so that a name which resolves otherwise a moment later (DNS rebinding) leads nowhere else; one internal address among them is
 * enough to refuse them all.
 */
export function createNetworkTransport(resolve: ResolveAddresses = systemLookup): NetworkTransport {
  const agents = new WeakMap<NetworkRules, Agent>();
  const agentOf = (network: NetworkRules): Agent => {
    const known = agents.get(network);
    if (known !== undefined) return known;
    const made = new Agent({
      keepAliveTimeout: 30_000,
      connections: 64,
      connect: { ...network.tls, ...(network.refusesPrivate ? { lookup: publicAddressesOnly(resolve) } : {}) },
    });
    agents.set(network, made);
    return made;
  };
  const carry: Transport = async (url, init, network) => {
    // An address that is written out is not resolved, so nothing else would look at it.
    const host = url.hostname.replaceAll(/^\[|\]$/gu, '');
    if (network?.refusesPrivate === true && isIP(host) !== 0 && isInternalAddress(host)) throw internalAddress();
    const answer = await undiciFetch(url, { ...init, dispatcher: network === undefined ? sharedAgent : agentOf(network) });
    return { status: answer.status, statusText: answer.statusText, headers: answer.headers, body: answer.body as ReadableStream<Uint8Array> | null };
  };
  return Object.assign(carry, {
    release: async (network: NetworkRules) => {
      const agent = agents.get(network);
      agents.delete(network);
      await agent?.destroy();
    },
  });
}

/** The network. */
export const networkTransport: NetworkTransport = createNetworkTransport();

const internalAddress = (): Failure =>
  new Failure('EGRESS_FORBIDDEN', 'The host has an internal address; a connection to a system on a private network must say allow_private_network: true');

/**
 * The look-up that a socket connects by: it gives the socket exactly the addresses that were checked, and fails with `EGRESS_FORBIDDEN` where one of
 * them is internal.
 */
export function publicAddressesOnly(resolve: ResolveAddresses): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, '');
        return;
      }
      const [first] = addresses;
      if (first === undefined || addresses.some(({ address }) => isInternalAddress(address))) callback(internalAddress(), '');
      else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

/** What the guard itself threw, however deep the network has wrapped it. */
function failureIn(error: unknown): Failure | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) if (isFailure(at)) return at;
  return undefined;
}

/**
 * Makes the `fetch` that a connector is given. It never follows a redirect, since following one could delete somebody else's data
 * (Twilio answers 308 for a merged profile), and it reads the whole body within the limits before it answers.
 */
export function createGuardedFetch(options: GuardOptions): typeof globalThis.fetch {
  const allowed = new Set(options.egress.map((origin) => new URL(origin).origin));
  const transport = options.transport ?? networkTransport;
  const guarded = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const url = new URL(typeof input === 'string' ? input : input instanceof URL ? input.href : input.url);
    if (url.username !== '' || url.password !== '') throw new Failure('EGRESS_FORBIDDEN', `An address of the host ${url.host} has credentials in it`);
    if (!allowed.has(url.origin)) throw new Failure('EGRESS_FORBIDDEN', `The host ${url.host} is not on the connector's egress list`);
    await options.acquire?.();
    const timeout = AbortSignal.timeout(options.timeoutMs);
    const signals = [timeout, options.signal, init?.signal].filter((each) => each !== null && each !== undefined);
    try {
      const answer = await transport(url, { ...(init as unknown as UndiciRequestInit), redirect: 'manual', signal: AbortSignal.any(signals) }, options.network);
      const body = await readBounded(answer.body);
      const empty = answer.status === 204 || answer.status === 205 || answer.status === 304;
      const response = new Response(empty ? null : body, { status: answer.status, statusText: answer.statusText, headers: [...answer.headers] });
      Object.defineProperty(response, 'url', { value: url.href });
      return response;
    } catch (error) {
      const failure = failureIn(error);
      if (failure !== undefined) throw failure;
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
