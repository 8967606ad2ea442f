import { createGuardedFetch, type Transport } from '../../connector-kit/index.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import type { ConfigDocument } from '../../platform/config/document.ts';
import { resolveSecret, type SecretSources } from '../../platform/config/load.ts';
import { readWebhookSigningKey, webhookHeaders } from '../../platform/crypto/standard-webhooks.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import type { MailResult } from './mailer.ts';
import type { MessageText, NotificationTemplate, OfficerHook } from './notification.ts';

/** Reaches the data protection officer beside e-mail. */
export interface OfficerHooks {
  /** Those that are configured. */
  readonly all: readonly OfficerHook[];
  /** Sends a message once. `accepted` is any 2xx; everything else, redirects too, is tried again later. */
  readonly send: (hook: OfficerHook, id: string, template: NotificationTemplate, message: MessageText) => Promise<MailResult>;
}

/** How long a receiver may take. */
const timeoutMs = 20_000;

/** Makes the hooks of the configuration. Fails with `CONFIG_INVALID` when a secret is missing or none. */
export function createOfficerHooks(config: ConfigDocument['alerts'], deps: { readonly clock: Clock; readonly secrets: SecretSources; readonly transport?: Transport }): OfficerHooks {
  const urlOf = (text: string, at: string): string => {
    const url = resolveSecret(text, at, deps.secrets);
    if (!URL.canParse(url) || !/^https?:$/u.test(new URL(url).protocol)) throw new Failure('CONFIG_INVALID', `${at} must be an https:// URL`);
    return url;
  };
  const webhook = config.webhook && { url: urlOf(config.webhook.url, '/alerts/webhook/url'), key: readWebhookSigningKey(resolveSecret(config.webhook.secret, '/alerts/webhook/secret', deps.secrets), '/alerts/webhook/secret') };
  const chat = config.chat && { url: urlOf(config.chat.url, '/alerts/chat/url') };
  const post = async (url: string, headers: Readonly<Record<string, string>>, body: Buffer): Promise<MailResult> => {
    const fetch = createGuardedFetch({ egress: [new URL(url).origin], timeoutMs, ...(deps.transport === undefined ? {} : { transport: deps.transport }) });
    try {
      const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: new Uint8Array(body) });
      return answer.ok ? 'accepted' : 'failed';
    } catch (error) {
      if (isFailure(error)) return 'failed';
      throw error;
    }
  };
  return {
    all: [...(webhook === undefined ? [] : ['dpo_webhook' as const]), ...(chat === undefined ? [] : ['dpo_chat' as const])],
    send: async (hook, id, template, { subject, text }) => {
      const now = deps.clock.now();
      if (hook === 'dpo_webhook' && webhook !== undefined) {
        const body = Buffer.from(JSON.stringify({ type: `quittance.${template}`, timestamp: isoTime(now), data: { subject, text } }), 'utf8');
        return post(webhook.url, webhookHeaders(webhook.key, id, Math.floor(now / 1000), body), body);
      }
      if (hook === 'dpo_chat' && chat !== undefined) return post(chat.url, {}, Buffer.from(JSON.stringify({ text: `*${subject}*\n${text}` }), 'utf8'));
      // It was configured when the alert was written, and is not any more.
      return 'refused';
    },
  };
}
