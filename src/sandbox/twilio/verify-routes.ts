import { randomInt } from 'node:crypto';
import { isoSeconds, newSid } from './identifiers.ts';
import { cannotReceive, isTelephone } from './send-message-route.ts';
import { sendError } from './twilio-error.ts';
import type { TwilioState, World } from './twilio-state.ts';

/** The Verify service that the simulated account has. */
export const defaultVerifyService = `VA${'0'.repeat(31)}1`;

/** Source: https://www.twilio.com/docs/verify/api/rate-limits-and-timeouts */
const validMs = 10 * 60_000;
const sendsMax = 5;
const checksMax = 5;

/** One verification under way. Twilio forgets it when it is approved, expires, or was tried too often. */
interface VerifyAttempt {
  readonly sid: string;
  readonly to: string;
  readonly channel: string;
  readonly code: string;
  readonly startedAt: number;
  readonly sends: { readonly at: number; readonly sid: string }[];
  checks: number;
}

/** The verifications of an account by number: while one is pending, the same code is sent again. A reset of the account forgets them. */
const pending = new WeakMap<TwilioState, Map<string, VerifyAttempt>>();

function attemptsOf(world: World): Map<string, VerifyAttempt> {
  const known = pending.get(world.state) ?? new Map<string, VerifyAttempt>();
  pending.set(world.state, known);
  for (const [to, each] of known) if (world.context.now() >= each.startedAt + validMs) known.delete(to);
  return known;
}

function render(world: World, attempt: VerifyAttempt, status: string): Record<string, unknown> {
  const account = world.state.settings.accountSid;
  return {
    sid: attempt.sid,
    service_sid: defaultVerifyService,
    account_sid: account,
    to: attempt.to,
    channel: attempt.channel,
    status,
    valid: status === 'approved',
    amount: null,
    payee: null,
    date_created: isoSeconds(attempt.startedAt),
    date_updated: isoSeconds(world.context.now()),
  };
}

/** Promises the codes that are on their way to telephones: what their owners would read. */
export function codesOnTheirWay(world: World): readonly { readonly to: string; readonly code: string; readonly sends: number }[] {
  return [...attemptsOf(world).values()].map(({ to, code, sends }) => ({ to, code, sends: sends.length }));
}

/** Registers Verify v2: start a verification, check a code. */
export function registerVerifyRoutes(world: World): void {
  const { app, now, effect, lies } = world.context;
  app.post<{ Params: { service: string } }>('/v2/Services/:service/Verifications', (request, reply) => {
    if (request.params.service !== defaultVerifyService) return sendError(reply, 404);
    const { To: to = '', Channel: channel = '' } = (request.body ?? {}) as { To?: string; Channel?: string };
    if (!isTelephone(to) || channel !== 'sms') return sendError(reply, 400, 60200, 'Invalid parameter');
    if (cannotReceive(to)) return sendError(reply, 400, 60205, 'SMS is not supported by landline phone number');
    const attempts = attemptsOf(world);
    const attempt = attempts.get(to) ?? { sid: newSid('VE'), to, channel, code: String(randomInt(1_000_000)).padStart(6, '0'), startedAt: now(), sends: [], checks: 0 };
    if (attempt.sends.length >= sendsMax) return sendError(reply, 429, 60203, 'Max send attempts reached');
    attempt.sends.push({ at: now(), sid: newSid('VL') });
    if (!lies(request)) {
      attempts.set(to, attempt);
      effect('verification.sent', attempt.sid);
    }
    const sends = attempt.sends.map((each) => ({ time: new Date(each.at).toISOString(), channel: 'SMS', attempt_sid: each.sid }));
    const url = `https://verify.twilio.com/v2/Services/${defaultVerifyService}/Verifications/${attempt.sid}`;
    return reply.code(201).send({ ...render(world, attempt, 'pending'), lookup: {}, send_code_attempts: sends, sna: null, url });
  });
  app.post<{ Params: { service: string } }>('/v2/Services/:service/VerificationCheck', (request, reply) => {
    const { To: to = '', Code: code = '' } = (request.body ?? {}) as { To?: string; Code?: string };
    const attempts = attemptsOf(world);
    const attempt = attempts.get(to);
    if (request.params.service !== defaultVerifyService || attempt === undefined) return sendError(reply, 404);
    if (!/^[0-9]{4,10}$/u.test(code)) return sendError(reply, 400, 60200, 'Invalid parameter: Code');
    attempt.checks += 1;
    if (attempt.checks > checksMax) return sendError(reply, 429, 60202, 'Max check attempts reached');
    const isRight = code === attempt.code;
    if (isRight) {
      attempts.delete(to);
      effect('verification.approved', attempt.sid);
    }
    return reply.code(201).send({ ...render(world, attempt, isRight ? 'approved' : 'pending'), sna_attempts_error_codes: [] });
  });
}
