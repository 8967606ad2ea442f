import { createHash, createVerify, type KeyObject } from 'node:crypto';
import type { FastifyRequest } from 'fastify';

/** The service account that may call. */
export interface GcsAccount {
  readonly email: string;
  readonly publicKey: KeyObject;
}

const verifies = (key: KeyObject, text: string, signature: Buffer): boolean => createVerify('RSA-SHA256').update(text).verify(key, signature);

/** Checks a JWT that the account signed itself, as developers.google.com/identity/protocols/oauth2/service-account#jwt-auth describes it. */
export function hasToken(request: FastifyRequest, account: GcsAccount, now: number): boolean {
  const [head = '', body = '', signature = ''] = /^Bearer (.+)$/u.exec(request.headers.authorization ?? '')?.[1]?.split('.') ?? [];
  try {
    const { alg } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { alg?: unknown };
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as { iss?: unknown; exp?: number; scope?: string; aud?: string };
    const isFor = claims.scope?.includes('devstorage') === true || claims.scope?.includes('cloud-platform') === true || claims.aud !== undefined;
    return alg === 'RS256' && claims.iss === account.email && (claims.exp ?? 0) * 1000 > now && isFor && verifies(account.publicKey, `${head}.${body}`, Buffer.from(signature, 'base64url'));
  } catch {
    return false;
  }
}

const encode = (text: string): string => encodeURIComponent(text).replaceAll(/[!'()*]/gu, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

/** Checks a V4 signed URL: cloud.google.com/storage/docs/authentication/canonical-requests. */
export function hasSignedUrl(request: FastifyRequest, account: GcsAccount, now: number): boolean {
  const [path = '', rawQuery = ''] = request.url.split('?', 2);
  const query = new URLSearchParams(rawQuery);
  const stamp = query.get('X-Goog-Date') ?? '';
  const seconds = Number(query.get('X-Goog-Expires'));
  const startsAt = Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/u, '$1-$2-$3T$4:$5:$6Z'));
  if (query.get('X-Goog-Algorithm') !== 'GOOG4-RSA-SHA256' || !(seconds > 0 && seconds <= 604_800) || !(startsAt + seconds * 1000 >= now)) return false;
  const scope = query.get('X-Goog-Credential')?.slice(account.email.length + 1) ?? '';
  const signedHeaders = query.get('X-Goog-SignedHeaders') ?? '';
  // The library signs the host without its port, which only an endpoint of a test has.
  const valueOf = (name: string): string => (name === 'host' ? request.hostname : String(request.headers[name] ?? ''));
  const headers = signedHeaders.split(';').map((name) => `${name}:${valueOf(name).trim()}\n`).join('');
  const canonicalQuery = [...query].filter(([name]) => name !== 'X-Goog-Signature').map(([name, value]) => `${encode(name)}=${encode(value)}`).toSorted().join('&');
  const canonical = [request.method, path, canonicalQuery, headers, signedHeaders, 'UNSIGNED-PAYLOAD'].join('\n');
  const toSign = ['GOOG4-RSA-SHA256', stamp, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  return verifies(account.publicKey, toSign, Buffer.from(query.get('X-Goog-Signature') ?? '', 'hex'));
}
