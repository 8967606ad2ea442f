import { z } from 'zod';

/** The configuration of a Stripe connection; secrets are already resolved when it is parsed. */
export const stripeConfigSchema = z.strictObject({
  /**
   * `scrub_and_delete` empties, marks and deletes the customer; `redact` runs a Redaction Job (the account must have the public preview);
   * `mark_only` writes the mark that an in-house process acts on and erases nothing.
   */
  mode: z.enum(['scrub_and_delete', 'redact', 'mark_only']).default('scrub_and_delete'),
  /** A secret or restricted key (`sk_…`, `rk_…`) that may read and write customers, payment methods, and read what hangs on them. */
  api_key: z.string().min(1),
  /** Overrides the version that the SDK was made for; Redaction Jobs may need one that ends in `.preview`. */
  api_version: z.string().regex(/^\d{4}-\d{2}-\d{2}(?:\.\w+)?$/u).optional(),
  /** An origin without a path: the SDK keeps host, port and protocol only. */
  base_url: z
    .url()
    .refine((text) => URL.canParse(text) && new URL(text).pathname === '/' && new URL(text).search === '', 'must be an origin without a path')
    .default('https://api.stripe.com'),
  redact: z
    .strictObject({
      /** `fix` lets Stripe void, cancel and detach whatever stands in the way; `error` leaves that to a person. */
      validation_behavior: z.enum(['error', 'fix']).default('error'),
    })
    .prefault({}),
  /** Why and for how long transactions stay. */
  retention: z
    .strictObject({
      legal_basis: z.string().min(1).max(200).default('GDPR Art. 17(3)(b)'),
      /** Counted from the newest transaction; ten years cover the longest common bookkeeping duty. */
      years: z.int().min(0).max(100).default(10),
    })
    .prefault({}),
});

/** The configuration of a Stripe connection. */
export type StripeConfig = z.output<typeof stripeConfigSchema>;

/** Whether the key's objects are live ones; undefined for a key that does not say. */
export function expectedLivemode(config: StripeConfig): boolean | undefined {
  const match = /^(?:sk|rk)_(live|test)_/u.exec(config.api_key);
  return match === null ? undefined : match[1] === 'live';
}
