import twilio from 'twilio';
import { z } from 'zod';
import { Failure, vendorFailure, type ConnectorContext } from '../../connector-kit/index.ts';
import { credentialsOf, type TwilioConfig } from './config.ts';

/** Twilio's client of the official SDK. */
export type TwilioClient = twilio.Twilio;

/** Twilio's answer to one call: a value, or a refusal that the caller may know what to do with. */
export type Answer<Value> =
  | { readonly kind: 'ok'; readonly value: Value }
  /** 404: there is no such object, or no longer. */
  | { readonly kind: 'absent' }
  /** 20009: not before the object has its final status. */
  | { readonly kind: 'not_final' }
  /** 301 or 308: the profile was merged into the one named, which was not touched. */
  | { readonly kind: 'moved'; readonly to: string | undefined }
  /** Any other 4xx that is not about the credential, the rate or a conflict. */
  | { readonly kind: 'refused'; readonly status: number; readonly code: number | undefined };

/** One request outside the SDK. */
export interface PlainRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly url: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Believes a 404 without Twilio's error body, as deployments other than Twilio's answer it. */
  readonly plainAbsence?: boolean;
}

/** Calls to Twilio, all over the guarded fetch: never retried, never redirected. */
export interface TwilioGateway {
  /** Makes one call of the SDK. Throws `VENDOR_*` and `CONNECTION_AUTH`; answers other refusals. What the SDK cannot read is `VENDOR_MALFORMED`. */
  readonly ask: <Value>(call: (client: TwilioClient) => Promise<Value>) => Promise<Answer<Value>>;
  /** Makes one call that the SDK does not cover; throws and answers as `ask` does. The value is the parsed body. */
  readonly send: (request: PlainRequest) => Promise<Answer<unknown>>;
  /** Reads a file as it is; `elsewhere` where Twilio names another place to read it at, which is not called. Throws and answers as `ask` does. */
  readonly download: (url: string) => Promise<Answer<File>>;
}

/** A file at Twilio. */
export type File = { readonly bytes: Buffer; readonly contentType: string | null } | 'elsewhere';

/** Carries a refusal through the SDK, which rejects with what its HTTP client rejects with. */
class Refused extends Error {
  readonly answer: Exclude<Answer<never>, { kind: 'ok' }>;

  constructor(answer: Exclude<Answer<never>, { kind: 'ok' }>) {
    super(`Twilio refused the call: ${answer.kind}`);
    this.name = 'Refused';
    this.answer = answer;
  }
}

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** The codes that Twilio gives for a message that is not scheduled (any more) when it is to be cancelled. */
const notCancellable = 30409;
const notFinal = 20009;

/** Makes the gateway for one step. */
export function createTwilioGateway(config: TwilioConfig, context: ConnectorContext): TwilioGateway {
  const { username, password } = credentialsOf(config);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  /** What our own transport threw, which the SDK must not be blamed for. */
  const ours = new WeakSet<object>();

  const exchange = async (url: string, init: RequestInit, plainAbsence: boolean): Promise<Reply> => {
    try {
      const response = await context.fetch(url, { ...init, redirect: 'manual' });
      const text = await response.text();
      const body = parse(text);
      if (!response.ok) throw refusal(response, body.value, plainAbsence, context.now());
      if (!body.ok) throw new Failure('VENDOR_MALFORMED', 'Twilio answered with something that is not its JSON');
      return { status: response.status, headers: response.headers, body: body.value };
    } catch (error) {
      if (typeof error === 'object' && error !== null) ours.add(error);
      throw error;
    }
  };
  const client = makeClient(config, { username, password }, async (request) => {
    const { url, init } = toFetch(config, request, authorization);
    const { status, headers, body } = await exchange(url, init, false);
    return { statusCode: status, body, headers: Object.fromEntries(headers) };
  });
  const settle = async <Value>(work: () => Promise<Value>): Promise<Answer<Value>> => {
    try {
      return { kind: 'ok', value: await work() };
    } catch (error) {
      if (error instanceof Refused) return error.answer;
      if (typeof error === 'object' && error !== null && ours.has(error)) throw error;
      // The SDK takes the shape of an answer on trust and stumbles over another. Its error may quote the answer, so it goes no further.
      throw new Failure('VENDOR_MALFORMED', 'Twilio answered with an object of another shape');
    }
  };
  return {
    ask: async (call) => settle(async () => call(client)),
    send: async ({ method, url, body, headers, plainAbsence }) =>
      settle(async () => {
        const init: RequestInit = {
          method,
          headers: { authorization, accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        };
        return (await exchange(url, init, plainAbsence === true)).body;
      }),
    download: async (url) =>
      settle(async () => {
        try {
          const response = await context.fetch(url, { headers: { authorization }, redirect: 'manual' });
          if (response.status >= 300 && response.status < 400) return 'elsewhere';
          if (!response.ok) throw refusal(response, parse(await response.text()).value, true, context.now());
          return { bytes: Buffer.from(await response.arrayBuffer()), contentType: response.headers.get('content-type') };
        } catch (error) {
          if (typeof error === 'object' && error !== null) ours.add(error);
          throw error;
        }
      }),
  };
}

/** Answers the value, or throws the failure for a refusal that the caller has no use for. */
export function expectOk<Value>(answer: Answer<Value>, now: number): Value {
  if (answer.kind === 'ok') return answer.value;
  throw failureOf(answer, now);
}

/** The failure for a refusal that the caller has no use for. */
export function failureOf(answer: Exclude<Answer<never>, { kind: 'ok' }>, now: number): Failure {
  switch (answer.kind) {
    case 'refused':
      return vendorFailure(answer.status, { ...(answer.code === undefined ? {} : { vendorCode: answer.code }), now });
    case 'absent':
      return vendorFailure(404, { now });
    case 'not_final':
      return new Failure('VENDOR_UNAVAILABLE', 'Twilio is not done with the object yet');
    case 'moved':
      return new Failure('CONNECTION_REFUSED', 'Twilio answered with a redirect, which is never followed');
  }
}

function parse(text: string): { readonly ok: boolean; readonly value: unknown } {
  if (text === '') return { ok: true, value: undefined };
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch {
    return { ok: false, value: undefined };
  }
}

const errorSchema = z.object({ code: z.int() });

function refusal(response: Response, body: unknown, plainAbsence: boolean, now: number): Refused | Failure {
  const { status, headers } = response;
  const parsed = errorSchema.safeParse(body);
  const code = parsed.success ? parsed.data.code : undefined;
  if (code === notFinal) return new Refused({ kind: 'not_final' });
  if (code === notCancellable) return new Refused({ kind: 'refused', status, code });
  if (status === 301 || status === 308) return new Refused({ kind: 'moved', to: headers.get('canonical-profile-id') ?? undefined });
  if (status === 404) {
    if (code === undefined && !plainAbsence) return new Failure('VENDOR_MALFORMED', 'A 404 came that is not Twilio\'s, so it says nothing about the object');
    return new Refused({ kind: 'absent' });
  }
  if (status >= 400 && status < 500 && ![401, 403, 408, 409, 425, 429].includes(status)) return new Refused({ kind: 'refused', status, code });
  return vendorFailure(status, { retryAfter: headers.get('retry-after'), ...(code === undefined ? {} : { vendorCode: code }), now });
}

type SdkRequest = Parameters<twilio.RequestClient['request']>[0];
type SdkReply = { readonly statusCode: number; readonly body: unknown; readonly headers: Readonly<Record<string, string>> };

function makeClient(config: TwilioConfig, auth: { username: string; password: string }, request: (request: SdkRequest) => Promise<SdkReply>): TwilioClient {
  return new twilio.Twilio(auth.username, auth.password, {
    accountSid: config.account_sid,
    autoRetry: false,
    // Empty, so that TWILIO_EDGE and TWILIO_REGION of the environment do not move the calls to other hosts.
    edge: '',
    region: '',
    logLevel: '',
    httpClient: { request } as unknown as twilio.RequestClient,
  });
}

/** Turns a request of the SDK into one for fetch, at the configured host of the same product. */
function toFetch(config: TwilioConfig, request: SdkRequest, authorization: string): { readonly url: string; readonly init: RequestInit } {
  const { method, uri, params, data } = request as { method: string; uri: string; params?: Record<string, unknown>; data?: Record<string, unknown> };
  const target = new URL(uri);
  const base = target.hostname === 'conversations.twilio.com' ? config.hosts.conversations : config.hosts.api;
  for (const [name, value] of pairs(params)) target.searchParams.append(name, value);
  const webhook = request.headers?.['X-Twilio-Webhook-Enabled'];
  const form = method.toLowerCase() === 'post' ? new URLSearchParams(pairs(data)).toString() : undefined;
  return {
    url: `${base}${target.pathname}${target.search}`,
    init: {
      method: method.toUpperCase(),
      headers: {
        authorization,
        accept: 'application/json',
        ...(webhook === undefined ? {} : { 'x-twilio-webhook-enabled': webhook }),
        ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(form === undefined ? {} : { body: form }),
    },
  };
}

function pairs(values: Readonly<Record<string, unknown>> | undefined): [string, string][] {
  return Object.entries(values ?? {}).flatMap(([name, value]): [string, string][] =>
    value === undefined || value === null ? [] : (Array.isArray(value) ? value : [value]).map((each): [string, string] => [name, String(each)]),
  );
}
