import { createSign } from 'node:crypto';
import { z } from 'zod';
import type { ConnectorContext } from './connector.ts';

/** A service account of Google Cloud, as far as it is needed to sign. */
export interface GoogleAccount {
  readonly email: string;
  readonly privateKey: string;
  readonly keyId: string | undefined;
}

const fileSchema = z.object({ client_email: z.string().min(1), private_key: z.string().includes('PRIVATE KEY'), private_key_id: z.string().optional() });

/** The JSON key of a service account, as Google gives it out. What is wrong with it is said without quoting it. */
export const googleAccountSchema = z.string().transform((text, context): GoogleAccount => {
  try {
    const { client_email: email, private_key: privateKey, private_key_id: keyId } = fileSchema.parse(JSON.parse(text));
    return { email, privateKey, keyId };
  } catch {
    context.addIssue({ code: 'custom', message: 'must be the JSON key of a service account, with client_email and private_key' });
    return z.NEVER;
  }
});

/** Google takes no token for longer than an hour; each is used for half of that. */
const lifeSeconds = 3600;
const usedMs = 1_800_000;

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/**
 * Gives bearer tokens of an account by signing them here (AIP-4111, self-signed JWT with a scope): no other host is asked for one. Each call answers one that is good
 * for another 29 minutes at least.
 */
export function createGoogleTokens({ email, privateKey, keyId }: GoogleAccount, scope: string, { now }: Pick<ConnectorContext, 'now'>): () => string {
  let held: { readonly token: string; readonly at: number } | undefined;
  return () => {
    const at = now();
    if (held !== undefined && at - held.at < usedMs) return held.token;
    // A minute back, for a clock of Google's that is behind ours.
    const issuedAt = Math.floor(at / 1000) - 60;
    const signed = `${part({ alg: 'RS256', typ: 'JWT', ...(keyId === undefined ? {} : { kid: keyId }) })}.${part({ iss: email, sub: email, scope, iat: issuedAt, exp: issuedAt + lifeSeconds })}`;
    const token = `${signed}.${createSign('RSA-SHA256').update(signed).sign(privateKey, 'base64url')}`;
    held = { token, at };
    return token;
  };
}
