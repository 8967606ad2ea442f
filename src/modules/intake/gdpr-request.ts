import { randomBytes } from 'node:crypto';
import { createRemoteJWKSet, customFetch, errors, jwtVerify, type FetchImplementation, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import type { LocateResult } from '../../connector-kit/index.ts';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { RequestId } from '../../contract/ids.ts';
import type { Right } from '../../contract/outcomes.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import type { ConfigDocument } from '../../platform/config/document.ts';
import { resolveSecret, type SecretSources } from '../../platform/config/load.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { oneAtATime } from '../../platform/db/one-at-a-time.ts';
import { Failure } from '../../platform/failure.ts';
import { newId } from '../../platform/ids.ts';
import { normalise, type NewIdentifier, type Vault } from '../identity/index.ts';
import { endedStatuses, openAmong, outsideId, type OpenRequest, type RequestTables } from '../requests/index.ts';
import { asymmetricAlgorithms, isKeyTrouble } from './domain/signatures/jwt-signature.ts';

type GdprRequestConfig = NonNullable<ConfigDocument['gdpr_request']>;

/** What taking a request of the application's own users needs. */
export interface GdprRequestDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly systemKeys: Pick<SystemKeys, 'mac'>;
  readonly vault: Pick<Vault, 'prepare' | 'findOpenRequests'>;
  readonly openRequest: OpenRequest;
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
  /** What the application's own system knows of these identifiers; reads only. Fails as its connection does. */
  readonly lookUp: (identifiers: readonly Identifier[]) => Promise<LocateResult>;
  readonly secrets: SecretSources;
  /** Fetches the application's keys, and nothing else. */
  readonly fetch: FetchImplementation;
  /** ISO 3166. */
  readonly defaultCountry: string;
}

/** The rights that this interface knows. */
export const gdprRequestTypes = ['access', 'erasure'] as const;
/** One of them. */
export type GdprRequestType = (typeof gdprRequestTypes)[number];

/** What became of it. */
export type GdprRequestAnswer = { readonly is: 'accepted'; readonly reference: string } | { readonly is: 'unknown_user' } | { readonly is: 'pending' };

/** Takes requests of the application's own users, who are logged in there. */
export interface GdprRequests {
  /** Says who the bearer is; undefined for a token that is none, is of somebody else's making, for somebody else, or over. Fails with `KEY_UNAVAILABLE` where the keys cannot be had. */
  readonly bearerOf: (authorization: string | undefined) => Promise<GdprBearer | undefined>;
  readonly take: (bearer: GdprBearer, type: GdprRequestType) => Promise<GdprRequestAnswer>;
}

/** Whom the application says that it is. */
export interface GdprBearer {
  readonly userId: string;
  /** Where the application has verified it. */
  readonly email: string | undefined;
}

/** The one address of an account; of several nobody knows which is meant. */
function accountAddress(found: LocateResult['found']): string | undefined {
  const [address, ...others] = found.filter(({ identifier }) => identifier.kind === 'email').map(({ identifier }) => identifier.value);
  return others.length === 0 ? address : undefined;
}

/** Of an address that the application has not verified: good enough to write to, and not to erase by. */
const unverifiedConfidence = 0.5;

/** The name of the source, in the log and the request. */
const source = 'gdpr-request';
/** How long the application's key server may take. */
const keysTimeoutMs = 5000;

/** The keys of an issuer. Fails with `CONFIG_INVALID` where somebody in between could hand out keys of their own. */
export function gdprKeys(config: GdprRequestConfig, secrets: SecretSources, fetch: FetchImplementation): JWTVerifyGetKey {
  const url = new URL(resolveSecret(config.jwks_url, '/gdpr_request/jwks_url', secrets));
  if (url.protocol !== 'https:' && url.hostname !== '127.0.0.1' && url.hostname !== 'localhost') throw new Failure('CONFIG_INVALID', '/gdpr_request/jwks_url must be https://');
  return createRemoteJWKSet(url, { timeoutDuration: keysTimeoutMs, [customFetch]: fetch });
}

/**
 * Makes the use case. A second request of the same kind by the same user, while the first is open, opens nothing: it is noted in the log of the first. Whoever asks twice at
 * once gets one request.
 */
export function createGdprRequests(config: GdprRequestConfig, deps: GdprRequestDeps): GdprRequests {
  const keys = gdprKeys(config, deps.secrets, deps.fetch);

  const pending = async (tx: Tx, user: Identifier, right: Right): Promise<RequestId | undefined> => {
    const ids = await deps.vault.findOpenRequests([user], tx);
    return (await openAmong(tablesOf<RequestTables>(tx), ids, endedStatuses)).find((each) => each.request_right === right)?.id;
  };

  return {
    bearerOf: async (authorization) => {
      const token = /^Bearer ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/u.exec(authorization ?? '')?.[1];
      if (token === undefined) return undefined;
      let payload: JWTPayload;
      try {
        ({ payload } = await jwtVerify(token, keys, { algorithms: asymmetricAlgorithms, currentDate: new Date(deps.clock.now()), requiredClaims: ['exp', config.user_claim], issuer: config.issuer, audience: config.audience }));
      } catch (error) {
        if (error instanceof errors.JOSEError && !isKeyTrouble(error)) return undefined;
        throw new Failure('KEY_UNAVAILABLE', "The application's keys could not be fetched; send the request again later", { cause: error });
      }
      const { [config.user_claim]: userId, email } = payload;
      if (typeof userId !== 'string' || userId === '' || userId.length > 256) return undefined;
      return { userId, email: typeof email === 'string' && payload['email_verified'] === true ? email : undefined };
    },
    take: async (bearer, type) => {
      const user: Identifier = { kind: 'user_id', ...normalise('user_id', bearer.userId, { defaultCountry: deps.defaultCountry, field: '/user_id' }) };
      const { knows, found } = await deps.lookUp([user]);
      if (!knows.some((each) => each.kind === 'user_id' && each.value === user.value)) return { is: 'unknown_user' };
      const given: NewIdentifier[] = [{ ...user, foundBy: 'given', confidence: 1 }];
      // Into the vault now: once the account's row is anonymised, its address is nobody's.
      const address = bearer.email ?? accountAddress(found);
      if (address !== undefined) given.push({ kind: 'email', ...normalise('email', address, { defaultCountry: deps.defaultCountry, field: 'email' }), ...(bearer.email === undefined ? { foundBy: 'account', confidence: unverifiedConfidence } : { foundBy: 'given', confidence: 1 }) });
      const prepared = await deps.vault.prepare(newId('request'));
      return deps.database.transaction(async (tx): Promise<GdprRequestAnswer> => {
        await oneAtATime(tablesOf(tx), `gdpr-request:${deps.systemKeys.mac('lookup', `gdpr-request:${user.value}`).toString('hex')}`);
        const open = await pending(tx, user, type);
        if (open !== undefined) {
          await deps.record(tx, { type: 'request.duplicate', at: isoTime(deps.clock.now()), actor: { role: 'source', id: source }, request_id: outsideId(open), right: type, reason_code: 'already_pending' });
          return { is: 'pending' };
        }
        const once = randomBytes(32);
        const { request } = await deps.openRequest(tx, { source, sourceId: once.toString('hex'), payloadHash: once, right: type, jurisdiction: config.jurisdiction, identifiers: given, verification: 'source' }, prepared);
        return { is: 'accepted', reference: request.reference };
      });
    },
  };
}
