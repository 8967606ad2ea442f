import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Sandbox } from '../sandbox/index.ts';
import { defaultAccount } from '../sandbox/twilio/index.ts';

/** The configuration that the sandbox and the demo run on. */
export const exampleConfigPath = fileURLToPath(new URL('../../examples/01-main-job/quittance.yaml', import.meta.url));

/** What the example configuration refers to: the simulators' addresses and credentials, and a secret for its webhook source made anew. */
export function sandboxEnvironment(sandbox: Sandbox): Readonly<Record<string, string>> {
  return {
    INTAKE_SECRET: `whsec_${randomBytes(32).toString('base64')}`,
    STRIPE_API_KEY: 'sk_test_sandbox',
    STRIPE_URL: sandbox.stripe.url,
    TWILIO_ACCOUNT_SID: defaultAccount.accountSid,
    TWILIO_AUTH_TOKEN: defaultAccount.authToken,
    TWILIO_URL: sandbox.twilio.url,
    SEGMENT_SPACE_ID: 'spa_sandbox',
    SEGMENT_PROFILE_TOKEN: 'sandbox-profile-token',
    SEGMENT_PUBLIC_TOKEN: 'sandbox-public-token',
    SEGMENT_URL: sandbox.segment.url,
    SMTP_URL: sandbox.mail.smtpUrl,
  };
}
