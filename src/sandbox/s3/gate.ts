import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { S3State } from './state.ts';
import { documentOf } from './xml.ts';

/** The key that the simulated S3 knows; fictional, like everything here. */
export const s3Credentials = { id: 'AKIASANDBOX0000EXAMPLE', secret: 'sandbox/secret+access=key' } as const;

/** A refusal, thrown by an operation and answered as S3's error document. */
export class S3Problem extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string) {
    super(`s3 ${status} ${code}`);
    this.status = status;
    this.code = code;
  }
}

/** The body of a refusal. */
export function problemBody(code: string): string {
  return documentOf('Error', { Code: code, Message: `Sandbox: ${code}`, RequestId: 'SANDBOX', HostId: 'sandbox' });
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
const escape = (text: string): string => encodeURIComponent(text).replaceAll(/[!'()*]/gu, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

interface Signed {
  readonly credential: string;
  readonly date: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly payload: string;
}

function signedPart(request: FastifyRequest, query: URLSearchParams): Signed {
  const authorization = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/u.exec(request.headers.authorization ?? '');
  if (authorization !== null) {
    const [, credential = '', signedHeaders = '', signature = ''] = authorization;
    return { credential, signedHeaders, signature, date: String(request.headers['x-amz-date'] ?? ''), payload: String(request.headers['x-amz-content-sha256'] ?? '') };
  }
  const signature = query.get('X-Amz-Signature');
  if (signature === null) throw new S3Problem(403, 'AccessDenied');
  return { credential: query.get('X-Amz-Credential') ?? '', signedHeaders: query.get('X-Amz-SignedHeaders') ?? '', signature, date: query.get('X-Amz-Date') ?? '', payload: 'UNSIGNED-PAYLOAD' };
}

/** Checks Signature Version 4, in the header or in a presigned address, as the AWS General Reference describes it. Refuses with 403 as S3 does. */
export function authenticate(request: FastifyRequest, body: Buffer, now: number): void {
  const [path = '', search = ''] = request.url.split('?', 2);
  const query = new URLSearchParams(search);
  const { credential, date, signedHeaders, signature, payload } = signedPart(request, query);
  const signedAt = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/u, '$1-$2-$3T$4:$5:$6Z'));
  // A presigned address has its end; seven days is the longest that S3 takes.
  const seconds = Number(query.get('X-Amz-Expires') ?? 0);
  if (query.has('X-Amz-Signature') && !(seconds > 0 && seconds <= 604_800 && signedAt + seconds * 1000 >= now)) throw new S3Problem(403, 'AccessDenied');
  const [id, day = '', region = '', service = ''] = credential.split('/');
  if (id !== s3Credentials.id) throw new S3Problem(403, 'InvalidAccessKeyId');
  const pairs = [...query].filter(([name]) => name !== 'X-Amz-Signature').map(([name, value]) => `${escape(name)}=${escape(value)}`);
  const headers = signedHeaders.split(';').map((name) => `${name}:${String(request.headers[name] ?? '').trim().replaceAll(/ +/gu, ' ')}\n`);
  const canonical = [request.method, path, pairs.toSorted().join('&'), headers.join(''), signedHeaders, payload].join('\n');
  const key = ['aws4_request'].reduce(hmac, hmac(hmac(hmac(`AWS4${s3Credentials.secret}`, day), region), service));
  const expected = hmac(key, ['AWS4-HMAC-SHA256', date, `${day}/${region}/${service}/aws4_request`, sha256(canonical)].join('\n'));
  const given = Buffer.from(signature, 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw new S3Problem(403, 'SignatureDoesNotMatch');
  if (/^[0-9a-f]{64}$/u.test(payload) && sha256(body) !== payload) throw new S3Problem(400, 'XAmzContentSHA256Mismatch');
}

/** Refuses what the key was planted to lack. */
export function permit(state: S3State, permission: string): void {
  if (state.account.denied.includes(permission)) throw new S3Problem(403, 'AccessDenied');
}
