import type { z } from 'zod';
import { Failure, vendorFailure } from '../../connector-kit/index.ts';

/** Reads a successful answer by its schema; throws `VENDOR_MALFORMED` without a word of what was in it. */
export async function readAnswer<Output>(response: Response, schema: z.ZodType<Output>): Promise<Output> {
  const parsed = schema.safeParse(await readJson(response));
  if (!parsed.success) throw new Failure('VENDOR_MALFORMED', `Segment answered ${response.status} with a body of another shape than documented`);
  return parsed.data;
}

/** The body as JSON; throws `VENDOR_MALFORMED` when it is none. */
export async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Failure('VENDOR_MALFORMED', `Segment answered ${response.status} with a body that is not JSON`);
  }
}

/**
 * The failure for a refused call. Segment sends `Retry-After` with most 429, and `X-RateLimit-Reset` as a date (RFC 5322) in every case,
 * which stands in where the first is missing.
 */
export function refusal(response: Response, now: number, vendorCode?: string): Failure {
  const retryAfter = response.headers.get('retry-after') ?? (response.status === 429 ? response.headers.get('x-ratelimit-reset') : null);
  return vendorFailure(response.status, { retryAfter, now, ...(vendorCode === undefined ? {} : { vendorCode }) });
}
