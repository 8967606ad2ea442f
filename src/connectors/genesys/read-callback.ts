import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { Failure, type Callback } from '../../connector-kit/index.ts';

/** How far the signed time may be from ours. */
const toleranceMs = 300_000;
const header = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/u;
const bodySchema = z.object({ id: z.string().regex(/^[\w.-]{1,200}$/u) });

/**
 * Checks a completion callback: `x-genesys-signature: t=<seconds>,v1=<hex>`, an HMAC-SHA256 over `t`, a dot and the body. Genesys documents no scheme,
 * so this is the connection's own, to be put in front of whatever sends. Says only which job it is about: what became of it is asked for.
 */
export function readCallback(secret: string, callback: Callback): { readonly jobs: readonly string[] } {
  const [, seconds = '', given = ''] = header.exec(callback.headers['x-genesys-signature'] ?? '') ?? [];
  const expected = createHmac('sha256', secret).update(`${seconds}.`).update(callback.body).digest();
  const signature = Buffer.from(given, 'hex');
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) throw new Failure('SIGNATURE_INVALID', 'The callback is not signed with the connection’s secret');
  if (Math.abs(callback.now - Number(seconds) * 1000) > toleranceMs) throw new Failure('SIGNATURE_STALE', 'The callback was signed more than 5 minutes from now');
  const parsed = bodySchema.safeParse(parse(callback.body));
  if (!parsed.success) throw new Failure('BODY_MALFORMED', 'The callback names no job');
  return { jobs: [parsed.data.id] };
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    // Refused by the schema; the text may name the person and goes nowhere.
    return undefined;
  }
}
