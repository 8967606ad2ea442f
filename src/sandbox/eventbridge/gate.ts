import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';

/** The key that the simulated account knows; fictional, like everything here. */
export const eventBridgeCredentials = { id: 'AKIASANDBOX0000EXAMPLE', secret: 'sandbox/secret+access=key' } as const;

/** A refusal, thrown by an operation and answered as the service words it. */
export class AwsProblem extends Error {
  readonly status: number;
  readonly code: string;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
/** How far the clock of a caller may be off: docs.aws.amazon.com/IAM/latest/UserGuide/signing-elements.html. */
const skewMs = 15 * 60_000;

/** Checks Signature Version 4 in the header, as the IAM User Guide describes it. Refuses as the services do. `now` is the machine's time, by which clients sign. */
export function authenticate(request: FastifyRequest, body: Buffer, service: string, region: string, now: number): void {
  const authorization = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/u.exec(request.headers.authorization ?? '');
  if (authorization === null) throw new AwsProblem('MissingAuthenticationTokenException', 'Missing Authentication Token', 403);
  const [, credential = '', signedHeaders = '', signature = ''] = authorization;
  const [id, day = '', signedRegion = '', signedService = ''] = credential.split('/');
  if (id !== eventBridgeCredentials.id) throw new AwsProblem('UnrecognizedClientException', 'The security token included in the request is invalid.', 403);
  // IAM is one service for all regions and is signed for us-east-1, or for the region of an endpoint of one's own.
  if (signedService !== service || (service !== 'iam' && signedRegion !== region)) throw new AwsProblem('InvalidSignatureException', 'Credential should be scoped to a valid region and service.', 403);
  const date = String(request.headers['x-amz-date'] ?? '');
  const signedAt = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/u, '$1-$2-$3T$4:$5:$6Z'));
  if (!(Math.abs(now - signedAt) <= skewMs)) throw new AwsProblem('InvalidSignatureException', 'Signature expired', 403);
  const [path = '', search = ''] = request.url.split('?', 2);
  const headers = signedHeaders.split(';').map((name) => `${name}:${String(request.headers[name] ?? '').trim().replaceAll(/ +/gu, ' ')}\n`);
  const canonical = [request.method, path, search, headers.join(''), signedHeaders, sha256(body)].join('\n');
  const key = ['aws4_request'].reduce(hmac, hmac(hmac(hmac(`AWS4${eventBridgeCredentials.secret}`, day), signedRegion), service));
  const expected = hmac(key, ['AWS4-HMAC-SHA256', date, `${day}/${signedRegion}/${service}/aws4_request`, sha256(canonical)].join('\n'));
  const given = Buffer.from(signature, 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new AwsProblem('InvalidSignatureException', 'The request signature we calculated does not match the signature you provided.', 403);
  }
}
