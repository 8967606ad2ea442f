import { createHmac } from 'node:crypto';
import { stringify } from 'yaml';
import { parseConfig } from '../../../src/platform/config/load.ts';
import type { ConfigDocument } from '../../../src/platform/config/document.ts';
import { readSettings, type Settings } from '../../../src/platform/config/settings.ts';
import { defaultAccount } from '../../../src/sandbox/twilio/index.ts';

/** Where the vendors are, in the simulation: nowhere that a socket reaches. */
export const origins = { stripe: 'http://stripe.test', twilio: 'http://twilio.test', segment: 'http://segment.test' } as const;

const secret = Buffer.from('a-secret-of-at-least-24-bytes!!');

/** The secrets that the configuration refers to. */
export const environment: Readonly<Record<string, string>> = {
  CRM_SECRET: `whsec_${secret.toString('base64')}`,
  API_KEY: 'simulated-operator-key',
  STRIPE_KEY: 'sk_test_simulated',
  TWILIO_TOKEN: defaultAccount.authToken,
  SEGMENT_PROFILE_TOKEN: 'profile-token',
  SEGMENT_PUBLIC_TOKEN: 'public-token',
  SMTP_URL: 'smtp://mail.test',
};

/** How the simulated installation is configured; the seed chooses a few of its policies. */
export function simConfig(choices: { readonly approval: 'required' | 'none'; readonly order: boolean; readonly concurrency: number; readonly systems: readonly (keyof typeof origins)[] }): ConfigDocument {
  const common = { timeout_seconds: 3, calls_per_second: 50, concurrency: choices.concurrency };
  const connections = {
    stripe: { connector: 'stripe', api_key: '${env:STRIPE_KEY}', base_url: origins.stripe, ...common },
    twilio: {
      connector: 'twilio',
      account_sid: defaultAccount.accountSid,
      auth: { auth_token: '${env:TWILIO_TOKEN}' },
      hosts: { api: origins.twilio, conversations: origins.twilio, memory: origins.twilio },
      ...common,
      ...(choices.order && choices.systems.includes('stripe') ? { after: ['stripe'] } : {}),
    },
    segment: {
      connector: 'segment',
      profile_api: { space_id: 'spa_sandbox', token: '${env:SEGMENT_PROFILE_TOKEN}', base_url: origins.segment },
      public_api: { token: '${env:SEGMENT_PUBLIC_TOKEN}', base_url: origins.segment },
      ...common,
    },
  };
  return parseConfig(
    stringify({
      version: 1,
      controller: { name: 'Example Company', contact: 'privacy@example.com', dpo: 'dpo@example.com' },
      identity: { default_country: 'US' },
      requests: { grace_days: 0, confirm_attempts: 3, approval: choices.approval },
      access: { api_keys: [{ name: 'operator', key: '${env:API_KEY}' }] },
      mail: { smtp_url: '${env:SMTP_URL}', from: 'Example Company <privacy@example.com>' },
      sources: {
        crm: { scheme: 'standard-webhooks', secret: '${env:CRM_SECRET}', verify: 'source', jurisdiction: 'DE' },
        portal: { scheme: 'standard-webhooks', secret: '${env:CRM_SECRET}', verify: 'email_code', jurisdiction: 'DE' },
      },
      connections: Object.fromEntries(choices.systems.map((name) => [name, connections[name]])),
      audit: { origin: 'example.com/quittance-simulation', checkpoint_seconds: 1 },
    }),
    'simulated configuration',
  );
}

/** Settings of a simulated process: nothing of the machine's is touched. */
export function simSettings(masterKey: string): Settings {
  return readSettings({ QUITTANCE_DATABASE_URL: 'postgres://simulated/main', QUITTANCE_AUDIT_DATABASE_URL: 'postgres://simulated/audit', QUITTANCE_MASTER_KEY: masterKey, QUITTANCE_PORT: '0' });
}

/** Headers of a Standard Webhooks message. */
export function signed(body: string, id: string, nowMs: number): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
