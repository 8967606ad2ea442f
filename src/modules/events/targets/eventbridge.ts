import { Readable } from 'node:stream';
import type { EventBridgeClient, PutEventsRequestEntry, PutEventsResultEntry } from '@aws-sdk/client-eventbridge';
import { createGuardedFetch, networkTransport, parseRetryAfter, type NetworkRules } from '../../../connector-kit/index.ts';
import { isFailure } from '../../../platform/failure.ts';
import type { DeliveryResult, EventTarget, Outgoing } from '../target.ts';
import { cutIntoCalls } from './cut-into-calls.ts';
import { attemptBatch, type Attempt } from './attempt.ts';
import { again, refused } from './delivery-result.ts';
import { openOnce } from './open-once.ts';
import type { EventbridgeSettings } from './settings.ts';
import type { TargetDeps } from './target-deps.ts';
import { unlessAborted } from './unless-aborted.ts';

/** What one call takes (PutEvents: 1 to 10 entries, and less than 256 KB as AWS counts them). */
const callMost = { items: 10, bytes: 256 * 1024 - 1 };
/** Ten calls one after the other. */
const batchMax = 100;
const timeoutMs = 10_000;

/** What passes by itself, by entry or for a whole call. */
const passing = /^(?:InternalFailure|InternalException|InternalServerError|ServiceUnavailable(?:Exception)?|Throttling(?:Exception)?|ThrottledException|TooManyRequestsException|RequestLimitExceeded|ConcurrentModificationException)$/u;
/** What is wrong with the connection or the bus and not with an event, so that an operator can mend it while the events wait. */
const connection =
  /^(?:AccessDenied(?:Exception)?|CredentialsProviderError|ExpiredToken(?:Exception)?|IncompleteSignature(?:Exception)?|InvalidClientTokenId|InvalidSignatureException|MissingAuthenticationToken(?:Exception)?|NotAuthorized|OptInRequired|RequestExpired|ResourceNotFoundException|SignatureDoesNotMatch|UnrecognizedClientException)$/u;

interface Entry {
  readonly index: number;
  readonly entry: PutEventsRequestEntry;
  readonly bytes: number;
}

/** What the SDK hands to what carries its calls. */
interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}
type SdkResponse = { readonly statusCode: number; readonly headers: Record<string, string>; readonly body: Readable };

/**
 * Puts events on a bus of Amazon EventBridge by its SDK, in calls of at most 10 entries and 256 KB; `detail.event_id` is what a consumer is idempotent by, since
 * EventBridge gives ids of its own. An entry that failed says nothing about the others: `InternalFailure` and `ThrottlingException` are worth another try, any other
 * code is refused under its name. A call that AWS finds wrong as a whole is made again for each entry alone, so that one event cannot hold up the others.
 */
export function createEventbridgeTarget(settings: EventbridgeSettings, deps: TargetDeps): EventTarget {
  const network: NetworkRules = { refusesPrivate: false };
  const carrier = createCarrier(settings, deps, network);
  const kept = openOnce(async (): Promise<{ readonly sdk: typeof import('@aws-sdk/client-eventbridge'); readonly client: EventBridgeClient }> => {
    // The SDK takes some tens of megabytes, so that it is loaded by who has events for a bus.
    const sdk = await import('@aws-sdk/client-eventbridge');
    const { region, access_key: accessKey } = settings;
    const credentials = accessKey === undefined ? {} : { credentials: { accessKeyId: accessKey.id, secretAccessKey: accessKey.secret } };
    return { sdk, client: new sdk.EventBridgeClient({ region, endpoint: endpointOf(settings), maxAttempts: 1, requestHandler: carrier, ...credentials }) };
  });
  const put = async (entries: readonly Entry[], attempt: Attempt): Promise<readonly DeliveryResult[]> => {
    const { signal } = attempt;
    try {
      const { sdk, client } = await unlessAborted(kept.get(), signal);
      const { Entries: results } = await unlessAborted(client.send(new sdk.PutEventsCommand({ Entries: entries.map(({ entry }) => entry) }), { abortSignal: signal }), signal);
      return results?.length === entries.length ? results.map(resultOfEntry) : entries.map(() => again('VENDOR_MALFORMED'));
    } catch (error) {
      const result = attempt.ended() ?? resultOfCall(error, deps.clock.now());
      if (result.kind !== 'refused' || entries.length === 1) return entries.map(() => result);
      return (await Promise.all(entries.map(async (each) => put([each], attempt)))).flat();
    }
  };
  return {
    batchMax,
    order: 'one-by-one',
    deliver: async (batch, signal) =>
      attemptBatch(batch, signal, async (attempt) => {
        const results: DeliveryResult[] = batch.map(() => refused('EVENT_TOO_LARGE'));
        const entries = batch.map((each, index) => entryOf(each, index, settings.bus)).filter(({ bytes }) => bytes <= callMost.bytes);
        let stopped: DeliveryResult | undefined;
        for (const chunk of cutIntoCalls(entries, ({ bytes }) => bytes, callMost)) {
          // A bus that took nothing of a call is not asked again for the rest of the batch.
          const rest = stopped;
          const answers = rest === undefined ? await put(chunk, attempt) : chunk.map(() => rest);
          if (answers.every(({ kind }) => kind === 'again')) stopped = answers.at(-1);
          for (const [place, { index }] of chunk.entries()) results[index] = answers[place] ?? again('VENDOR_MALFORMED');
        }
        return results;
      }),
    close: async () => {
      (await kept.opened())?.client.destroy();
      await networkTransport.release(network);
    },
  };
}

/** The size of an entry as AWS counts it. */
function sizeOf({ Source = '', DetailType = '', Detail = '' }: PutEventsRequestEntry): number {
  const timeBytes = 14;
  return timeBytes + Buffer.byteLength(Source) + Buffer.byteLength(DetailType) + Buffer.byteLength(Detail);
}

function entryOf({ event }: Outgoing, index: number, bus: string): Entry {
  const entry = { Time: new Date(event.at), Source: event.source, DetailType: event.type, Detail: JSON.stringify({ ...event.detail, event_id: event.id }), EventBusName: bus };
  return { index, entry, bytes: sizeOf(entry) };
}

function resultOfEntry({ EventId: id, ErrorCode: error }: PutEventsResultEntry): DeliveryResult {
  if (error !== undefined) return passing.test(error) ? again(error) : refused(codeOf(error));
  return id === undefined || id === '' ? again('VENDOR_MALFORMED') : { kind: 'delivered', reference: id };
}

function resultOfCall(error: unknown, now: number): DeliveryResult {
  if (isFailure(error)) return again(error.code, error.retryAfterMs);
  if (!(error instanceof Error)) return again('INTERNAL');
  const { $response: response } = error as { readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> } };
  const status = response?.statusCode;
  const code = codeOf(error.name);
  if (connection.test(error.name)) return again(code);
  // Something that the SDK could not read, or no error of AWS's at all: whether the events arrived is not known.
  if (status === undefined || status < 400) return again('VENDOR_MALFORMED');
  if (passing.test(error.name) || status === 429 || status >= 500) return again(code, parseRetryAfter(response?.headers?.['retry-after'], now));
  return refused(code);
}

/** A name of AWS's, and nothing that could repeat what was sent. */
function codeOf(name: string): string {
  return /^[A-Za-z]{1,60}$/u.test(name) ? name : 'VENDOR_MALFORMED';
}

function endpointOf({ endpoint, region }: EventbridgeSettings): string {
  return endpoint ?? `https://events.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** Carries the SDK's calls over the guarded fetch: to EventBridge only, within their time, following no redirect. */
function createCarrier(settings: EventbridgeSettings, deps: TargetDeps, network: NetworkRules): { readonly handle: (request: SdkRequest, options?: { readonly abortSignal?: unknown }) => Promise<{ response: SdkResponse }>; readonly metadata: { handlerProtocol: string } } {
  const fetch = createGuardedFetch({ egress: [endpointOf(settings)], timeoutMs, network, ...(deps.transport === undefined ? {} : { transport: deps.transport }) });
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: async ({ method, protocol, hostname, port, path, headers: all, body }, options = {}) => {
      const { host: _host, 'content-length': _length, ...headers } = all;
      const signal = options.abortSignal instanceof AbortSignal ? { signal: options.abortSignal } : {};
      const answer = await fetch(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`, { method, headers, ...signal, ...(body === undefined ? {} : { body }) });
      return { response: { statusCode: answer.status, headers: Object.fromEntries(answer.headers), body: Readable.from([Buffer.from(await answer.arrayBuffer())], { objectMode: false }) } };
    },
  };
}
