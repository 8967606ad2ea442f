import { Failure } from '../../../platform/failure.ts';
import type { ConnectionAuth, SecretSlot } from './resources.ts';

/** `AuthHeaderParametersSensitive` of the API: no control characters but tabs, no colon, at most 512. */
const secretPattern = /^(?:\t|[^\p{Cc}:]){1,512}$/u;

/** A connection's parameters as CreateConnection and UpdateConnection take them, with what stands for the secret put in. */
export function authParameters(auth: ConnectionAuth, secretOf: (slot: SecretSlot) => unknown): Readonly<Record<string, unknown>> {
  switch (auth.type) {
    case 'BASIC':
      return { BasicAuthParameters: { Username: auth.username, Password: secretOf(auth.secret) } };
    case 'API_KEY':
      return { ApiKeyAuthParameters: { ApiKeyName: auth.header, ApiKeyValue: secretOf(auth.secret) } };
    case 'OAUTH_CLIENT_CREDENTIALS':
      return {
        OAuthParameters: {
          AuthorizationEndpoint: auth.endpoint,
          HttpMethod: auth.method,
          ClientParameters: { ClientID: auth.clientId, ClientSecret: secretOf(auth.secret) },
          OAuthHttpParameters: { BodyParameters: Object.entries(auth.body).map(([Key, Value]) => ({ Key, Value, IsValueSecret: false })) },
        },
      };
    default:
      return auth satisfies never;
  }
}

/** Reads a secret as it goes into a connection. Fails with `CONFIG_INVALID` where EventBridge would not take it; the value is in no message. */
export function secretFor(slot: SecretSlot, resolve: (reference: string, at: string) => string): string {
  const value = `${slot.before}${resolve(slot.reference, slot.at)}`;
  if (!secretPattern.test(value)) throw new Failure('CONFIG_INVALID', `${slot.at}: EventBridge takes at most 512 characters and neither a colon nor control characters in a secret`, { field: slot.at });
  return value;
}
