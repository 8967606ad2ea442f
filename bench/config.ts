import { createHmac, randomUUID } from 'node:crypto';
import { stringify } from 'yaml';
import { defaultAccount } from '../src/sandbox/twilio/index.ts';
import type { Vendors } from './vendors.ts';

const webhookSecret = `whsec_${Buffer.from('a-secret-of-at-least-24-bytes!!').toString('base64')}`;

/** The key with which the benchmark reads what became of its requests. */
export const apiKey = 'bench-api-key';

/** What the configuration of the measured processes refers to. */
export const secrets: Readonly<Record<string, string>> = {
  CRM_SECRET: webhookSecret,
  API_KEY: apiKey,
  STRIPE_KEY: 'sk_test_sandbox',
  TWILIO_TOKEN: defaultAccount.authToken,
};

/** The two vendors' connections, secrets written out, as their connectors take them. */
export function vendorConfig(vendors: Pick<Vendors, 'stripe' | 'twilio'>): Readonly<Record<'stripe' | 'twilio', Record<string, unknown>>> {
  const { stripe, twilio } = vendors;
  return {
    stripe: { api_key: 'sk_test_sandbox', base_url: stripe },
    twilio: { account_sid: defaultAccount.accountSid, auth: { auth_token: defaultAccount.authToken }, hosts: { api: twilio, conversations: twilio, memory: twilio } },
  };
}

/** `quittance.yaml` of the measured processes: as it comes, but that the limits towards the vendors are not what is measured. */
export function configText(vendors: Pick<Vendors, 'stripe' | 'twilio'>): string {
  const { stripe, twilio } = vendorConfig(vendors);
  const open = { concurrency: 1000, calls_per_second: 10_000 };
  return stringify({
    version: 1,
    controller: { name: 'Example Company', contact: 'privacy@example.com' },
    access: { api_keys: [{ name: 'bench', key: '${env:API_KEY}' }] },
    sources: { crm: { scheme: 'standard-webhooks', secret: '${env:CRM_SECRET}', verify: 'source', jurisdiction: 'DE', rate_limit_per_minute: 1_000_000 } },
    connections: {
      stripe: { connector: 'stripe', ...stripe, api_key: '${env:STRIPE_KEY}', ...open },
      twilio: { connector: 'twilio', ...twilio, auth: { auth_token: '${env:TWILIO_TOKEN}' }, ...open },
    },
    audit: { origin: 'example.com/quittance-bench' },
  });
}

/** Headers of a signed intake message. */
export function signedHeaders(body: string): Record<string, string> {
  const id = `msg_${randomUUID()}`;
  const timestamp = String(Math.floor(Date.now() / 1000));
  const key = Buffer.from(webhookSecret.slice('whsec_'.length), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
