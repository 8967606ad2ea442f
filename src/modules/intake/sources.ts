import { createRemoteJWKSet, customFetch, type FetchImplementation } from 'jose';
import type { SourceConfig } from '../../platform/config/document.ts';
import { resolveSecret, type SecretSources } from '../../platform/config/load.ts';
import { Failure } from '../../platform/failure.ts';
import { createHmacSignature } from './domain/signatures/hmac-signature.ts';
import { createJwtSignature } from './domain/signatures/jwt-signature.ts';
import type { VerifySignature } from './domain/signatures/signature.ts';
import { createPubsubToken, googleTokens } from './domain/signatures/pubsub-token.ts';
import { createSharedToken } from './domain/signatures/shared-token.ts';
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
 * Makes the configured sources that send over HTTP; what is read from a bus is none of them. `fetch` is used for the keys of JWT sources and reaches nothing else.
 * Fails with `CONFIG_INVALID` when a secret or a key address is missing or cannot be one.
 */
export function createSources(configs: Readonly<Record<string, SourceConfig>>, secrets: SecretSources, fetch: FetchImplementation): ReadonlyMap<string, Source> {
  const sources = new Map<string, Source>();
  for (const [name, config] of Object.entries(configs)) if (config.consume === undefined) sources.set(name, { name, config, verify: verifierOf(name, config, secrets, fetch) });
  return sources;
}

function verifierOf(name: string, config: SourceConfig, secrets: SecretSources, fetch: FetchImplementation): VerifySignature {
  const at = `/sources/${name}/secret`;
  if (config.scheme === 'jwt' || config.scheme === 'pubsub-push') {
    const jwksUrl = config.jwks_url ?? (config.scheme === 'jwt' ? undefined : googleTokens.keys);
    if (jwksUrl === undefined) throw missing(name, config, 'jwks_url');
    const url = new URL(jwksUrl);
    if (url.protocol !== 'https:' && url.hostname !== '127.0.0.1' && url.hostname !== 'localhost') {
      // Over plain HTTP, whoever stands between could hand out keys of their own.
      throw new Failure('CONFIG_INVALID', `/sources/${name}/jwks_url must be https://`);
    }
    const keys = createRemoteJWKSet(url, { timeoutDuration: keysTimeoutMs, [customFetch]: fetch });
    if (config.scheme === 'jwt') return createJwtSignature(keys, { issuer: config.issuer, audience: config.audience });
    if (config.audience === undefined) throw missing(name, config, 'audience');
    if (config.service_account === undefined) throw missing(name, config, 'service_account');
    return createPubsubToken(keys, { issuers: config.issuer === undefined ? googleTokens.issuers : [config.issuer], audience: config.audience, email: config.service_account });
  }
  if (config.secret === undefined) throw missing(name, config, 'secret');
  const secret = resolveSecret(config.secret, at, secrets);
  if (config.scheme === 'standard-webhooks') return createStandardWebhooks(secret, at);
  if (config.scheme === 'bearer') return createSharedToken('authorization', 'Bearer ', secret, at);
  if (config.scheme === 'api-key') return createSharedToken(config.header, '', secret, at);
  return createHmacSignature(config.scheme === 'hmac-sha256-hex' ? 'hex' : 'base64', secret, at);
}

const missing = (name: string, { scheme }: SourceConfig, field: string): Failure => new Failure('CONFIG_INVALID', `/sources/${name}/${field} is missing, and the scheme ${scheme} needs it`);
