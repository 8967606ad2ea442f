import twilio from 'twilio';
import { createGuardedFetch, type Transport } from '../../connector-kit/index.ts';
import type { SmsConfig } from '../../platform/config/document.ts';
import { resolveSecrets, type SecretSources } from '../../platform/config/load.ts';
import { Failure } from '../../platform/failure.ts';
import type { Log } from '../../platform/log.ts';
import type { MailResult } from './mailer.ts';

/** What became of a code that the service was asked to judge; `unknown` when it could not be asked. */
export type JudgedCode = 'right' | 'wrong' | 'unknown';

/** Sends messages to telephones. Nothing of it ever throws. */
export interface Texter {
  /** Sends a text; undefined where no sender of plain messages is configured. */
  readonly sendText: ((to: string, text: string) => Promise<MailResult>) | undefined;
  /** The service that makes, sends and judges codes itself; undefined where codes are ours and go by `sendText`. */
  readonly codes: { readonly send: (to: string) => Promise<MailResult>; readonly judge: (to: string, code: string) => Promise<JudgedCode> } | undefined;
}

/** What a texter needs. */
export interface TexterDeps {
  readonly secrets: SecretSources;
  readonly transport: Transport;
  readonly log: Log;
}

/** A person waits for the answer while a code is judged. */
const timeoutMs = 10_000;
const place = '/identity/sms';

/**
 * Twilio's codes for a number that no message will ever reach: not a number, not a mobile one, a land line, or its owner said STOP.
 * Source: https://www.twilio.com/docs/api/errors
 */
const refusedForGood = new Set([21211, 21214, 21217, 21610, 21614, 60200, 60205]);
/** VerificationCheck answers 404 for a code that expired, was approved, or was tried too often, and 429 with 60202 at the last of these. */
const tooManyChecks = 60202;

type SdkRequest = Parameters<twilio.RequestClient['request']>[0];

/** Makes a texter that sends through Twilio: Verify where a service is configured, plain messages where a sender is. Fails with `CONFIG_INVALID`. */
export function createTexter(given: SmsConfig, deps: TexterDeps): Texter {
  const config = resolveSecrets(given, place, deps.secrets) as SmsConfig;
  if (!/^AC[0-9a-fA-F]{32}$/u.test(config.account_sid)) throw new Failure('CONFIG_INVALID', `${place}/account_sid must be AC and 32 hexadecimal digits`);
  const { auth } = config;
  const [username, password] = 'auth_token' in auth ? [config.account_sid, auth.auth_token] : [auth.api_key, auth.api_secret];
  const client = new twilio.Twilio(username, password, {
    accountSid: config.account_sid,
    autoRetry: false,
    // Empty, so that TWILIO_EDGE and TWILIO_REGION of the environment do not move the calls to other hosts.
    edge: '',
    region: '',
    logLevel: '',
    httpClient: { request: (request: SdkRequest) => exchange(config, deps, request, `${username}:${password}`) } as unknown as twilio.RequestClient,
  });
  const attempt = async (what: string, call: () => Promise<unknown>): Promise<MailResult> => {
    try {
      await call();
      return 'accepted';
    } catch (error) {
      // What Twilio says of a refusal may quote the number: only its class and code are logged.
      deps.log.warn({ what, vendor_code: codeOf(error), err: error }, 'a message to a telephone was not accepted');
      return refusedForGood.has(codeOf(error) ?? 0) ? 'refused' : 'failed';
    }
  };
  const { from, verify_service: service } = config;
  const sender = from?.startsWith('MG') === true ? { messagingServiceSid: from } : { from: from ?? '' };
  return {
    sendText: from === undefined ? undefined : (to, body) => attempt('text', () => client.messages.create({ to, body, ...sender })),
    codes:
      service === undefined
        ? undefined
        : {
            send: (to) => attempt('code', () => client.verify.v2.services(service).verifications.create({ to, channel: 'sms' })),
            judge: (to, code) => judge(deps.log, () => client.verify.v2.services(service).verificationChecks.create({ to, code })),
          },
  };
}

async function judge(log: Log, check: () => Promise<{ readonly status: string }>): Promise<JudgedCode> {
  try {
    const { status } = await check();
    return status === 'approved' ? 'right' : 'wrong';
  } catch (error) {
    const { status } = error as { status?: unknown };
    if (status === 404 || codeOf(error) === tooManyChecks) return 'wrong';
    log.warn({ vendor_code: codeOf(error), err: error }, 'a code could not be judged');
    return 'unknown';
  }
}

/** Twilio's own code of an error, where it is one. */
function codeOf(error: unknown): number | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' ? code : undefined;
}

/** Carries a call of the SDK over the guarded fetch, to the configured host of the same product. */
async function exchange(config: SmsConfig, deps: TexterDeps, request: SdkRequest, credentials: string): Promise<{ statusCode: number; body: unknown; headers: Record<string, string> }> {
  const { method, uri, data } = request as { method: string; uri: string; data?: Record<string, string | undefined> };
  const target = new URL(uri);
  const base = target.hostname.startsWith('verify.') ? config.hosts.verify : config.hosts.api;
  const fetch = createGuardedFetch({ egress: [base], timeoutMs, transport: deps.transport });
  const form = Object.entries(data ?? {}).flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]]));
  const response = await fetch(`${base}${target.pathname}`, {
    method: method.toUpperCase(),
    headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}`, accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });
  const body: unknown = await response.json().catch(() => undefined);
  if (typeof body !== 'object' || body === null) throw new Failure('VENDOR_MALFORMED', 'Twilio answered with something that is not its JSON');
  return { statusCode: response.status, body, headers: Object.fromEntries(response.headers) };
}
