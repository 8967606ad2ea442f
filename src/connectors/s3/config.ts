import { z } from 'zod';
import { objectTemplateSchema, prefixTemplateSchema } from '../../connector-kit/index.ts';

const origin = z
  .url({ protocol: /^https?$/u })
  .refine((text) => URL.canParse(text) && new URL(text).pathname === '/' && new URL(text).search === '' && new URL(text).hash === '', 'must be an origin without a path')
  .transform((text) => new URL(text).origin);

/** What an S3 connection is configured with; secrets are already resolved. */
export const s3ConfigSchema = z
  .strictObject({
    buckets: z.array(z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/u, 'must be the name of a bucket')).min(1).max(20),
    region: z.string().regex(/^[a-z0-9-]{1,32}$/u),
    endpoint: origin.optional().describe('Of a service that speaks S3’s protocol, or of a partition of AWS; the region’s own when absent.'),
    path_style: z.boolean().default(false).describe('The bucket in the path and not in the name of the host, as most services besides AWS want it.'),
    access_key: z.strictObject({ id: z.string().min(1), secret: z.string().min(1), session_token: z.string().min(1).optional() }),
    prefixes: z.array(prefixTemplateSchema).max(20).default([]).describe('Where everything is one person’s: users/{user_id}/'),
    objects: z.array(objectTemplateSchema).max(20).default([]).describe('Single objects of a person: avatars/{user_id}.png'),
    retention: z.strictObject({ legal_basis: z.string().trim().min(1).max(200) }).optional().describe('The law for whose sake objects are locked.'),
  })
  .refine(({ prefixes, objects }) => prefixes.length + objects.length > 0, 'must have prefixes or objects');

/** What an S3 connection is configured with. */
export type S3Config = z.output<typeof s3ConfigSchema>;

/** The service's origin. The bucket comes before its host unless `path_style` puts it into the path. */
export function endpointOf({ endpoint, region }: S3Config): string {
  return endpoint ?? `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** Every origin that the connection calls. */
export function originsOf(config: S3Config): readonly string[] {
  const endpoint = endpointOf(config);
  // The SDK keeps to the path where a bucket's name has a dot, which no certificate covers, and where the host is an address.
  const inPath = config.path_style || /^https?:\/\/(?:\d+\.|\[)/u.test(endpoint);
  if (inPath) return [endpoint];
  const { protocol, host } = new URL(endpoint);
  return [...new Set(config.buckets.map((bucket) => (bucket.includes('.') ? endpoint : `${protocol}//${bucket}.${host}`)))];
}
