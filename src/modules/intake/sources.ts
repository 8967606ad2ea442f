import { createRemoteJWKSet, customFetch, type FetchImplementation } from 'jose';
import type { SourceConfig } from '../../platform/config/document.ts';
import { resolveSecret, type SecretSources } from '../../platform/config/load.ts';
import { Failure } from '../../platform/failure.ts';
import { createHmacSignature } from './domain/signatures/hmac-signature.ts';
import { createJwtSignature } from './domain/signatures/jwt-signature.ts';
import type { VerifySignature } from './domain/signatures/signature.ts';
import { createStandardWebhooks } from './domain/signatures/standard-webhooks.ts';

/** A configured source, ready to check what it sends. */
export interface Source {
  readonly name: string;
  readonly config: SourceConfig;
  readonly verify: VerifySignature;
}

/** How long the sender's key server may take. */
const keysTimeoutMs = 5000;

/**
 * Makes the configured sources. `fetch` is used for the keys of JWT sources and reaches nothing else.
 * Fails with `CONFIG_INVALID` when a secret or a key address is missing or cannot be one.
 */
export function createSources(configs: Readonly<Record<string, SourceConfig>>, secrets: SecretSources, fetch: FetchImplementation): ReadonlyMap<string, Source> {
  const sources = new Map<string, Source>();
  for (const [name, config] of Object.entries(configs)) sources.set(name, { name, config, verify: verifierOf(name, config, secrets, fetch) });
  return sources;
}

function verifierOf(name: string, config: SourceConfig, secrets: SecretSources, fetch: FetchImplementation): VerifySignature {
  const at = `/sources/${name}/secret`;
  if (config.scheme === 'jwt') {
    if (config.jwks_url === undefined) throw new Failure('CONFIG_INVALID', `/sources/${name}/jwks_url is missing, and the scheme jwt needs it`);
    const url = new URL(config.jwks_url);
    if (url.protocol !== 'https:' && url.hostname !== '127.0.0.1' && url.hostname !== 'localhost') {
      // Over plain HTTP, whoever stands between could hand out keys of their own.
      throw new Failure('CONFIG_INVALID', `/sources/${name}/jwks_url must be https://`);
    }
    const keys = createRemoteJWKSet(url, { timeoutDuration: keysTimeoutMs, [customFetch]: fetch });
    return createJwtSignature(keys, { issuer: config.issuer, audience: config.audience });
  }
  if (config.secret === undefined) throw new Failure('CONFIG_INVALID', `${at} is missing, and the scheme ${config.scheme} needs it`);
  const secret = resolveSecret(config.secret, at, secrets);
  if (config.scheme === 'standard-webhooks') return createStandardWebhooks(secret, at);
  return createHmacSignature(config.scheme === 'hmac-sha256-hex' ? 'hex' : 'base64', secret, at);
}
