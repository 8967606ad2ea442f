import { createGuardedFetch, networkTransport, type NetworkRules } from '../../../connector-kit/index.ts';
import { readWebhookSigningKey, webhookHeaders } from '../../../platform/crypto/standard-webhooks.ts';
import { Failure } from '../../../platform/failure.ts';
import { version } from '../../../version.ts';
import type { DeliveryResult, EventTarget, Outgoing } from '../target.ts';
import { attemptBatch, type Attempt } from './attempt.ts';
import { refused, retryByAnswer } from './delivery-result.ts';
import type { WebhookSettings } from './settings.ts';
import { statusOnly } from './status-only.ts';
import type { TargetDeps } from './target-deps.ts';

/** How many calls one batch makes side by side; each is about another person. */
const batchMax = 16;

/** These are about the message itself, which would be the same the next time. */
const aboutTheMessage: ReadonlySet<number> = new Set([400, 413, 414, 415, 422, 431]);

/**
 * Sends events as messages of Standard Webhooks 1.0.0: `webhook-id` is the event's id, and each try is signed anew with its own time. Success is 2xx only, whatever body; 410 wants
 * nothing any more; no redirect is followed. What says that the message itself is wrong is refused; everything else is worth another try, in the time that
 * `Retry-After` gives. Fails with `CONFIG_INVALID` for a secret or an address that is none.
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function createWebhookTarget(settings: WebhookSettings, deps: TargetDeps): EventTarget {
  const { url } = settings;
  if (!URL.canParse(url) || !/^https?:$/u.test(new URL(url).protocol)) throw new Failure('CONFIG_INVALID', `${deps.at}/url must be an https:// URL`);
  const key = readWebhookSigningKey(settings.secret, `${deps.at}/secret`);
  const network: NetworkRules = { refusesPrivate: !settings.allow_private_network };
  const fetch = createGuardedFetch({ egress: [new URL(url).origin], timeoutMs: settings.timeout_seconds * 1000, network, transport: statusOnly(deps.transport) });

  const send = async ({ event, body, contentType }: Outgoing, attempt: Attempt): Promise<DeliveryResult> => {
    try {
      const bytes = Buffer.from(body, 'utf8');
      const signed = webhookHeaders(key, event.id, Math.floor(deps.clock.now() / 1000), bytes);
      const answer = await fetch(url, { method: 'POST', headers: { 'content-type': contentType, 'user-agent': `Quittance/${version}`, ...signed }, body: new Uint8Array(bytes), signal: attempt.signal });
      if (answer.ok) return { kind: 'delivered' };
      if (answer.status === 410) return { kind: 'gone', code: 'HTTP_410' };
      return aboutTheMessage.has(answer.status) ? refused(`HTTP_${answer.status}`) : retryByAnswer(answer, deps.clock.now());
    } catch (error) {
      return attempt.resultOf(error);
    }
  };
  return {
    batchMax,
    order: 'one-by-one',
    deliver: async (batch, signal) => attemptBatch(batch, signal, async (attempt) => Promise.all(batch.map(async (each) => send(each, attempt)))),
    close: async () => networkTransport.release(network),
  };
}
