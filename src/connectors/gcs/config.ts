import { z } from 'zod';
import { googleAccountSchema, objectTemplateSchema, prefixTemplateSchema } from '../../connector-kit/index.ts';

const origin = z
  .url({ protocol: /^https?$/u })
  .refine((text) => URL.canParse(text) && new URL(text).pathname === '/' && new URL(text).search === '' && new URL(text).hash === '', 'must be an origin without a path')
  .transform((text) => new URL(text).origin);

/** What a connection to Google Cloud Storage is configured with; secrets are already resolved. */
export const gcsConfigSchema = z
  .strictObject({
    buckets: z.array(z.string().regex(/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/u, 'must be the name of a bucket')).min(1).max(20),
    endpoint: origin.default('https://storage.googleapis.com'),
    credentials: googleAccountSchema.describe('The JSON key of a service account that may list, read and delete the objects.'),
    prefixes: z.array(prefixTemplateSchema).max(20).default([]).describe('Where everything is one person’s: users/{user_id}/'),
    objects: z.array(objectTemplateSchema).max(20).default([]).describe('Single objects of a person: avatars/{user_id}.png'),
    retention: z.strictObject({ legal_basis: z.string().trim().min(1).max(200) }).optional().describe('The law for whose sake objects are held or retained.'),
  })
  .refine(({ prefixes, objects }) => prefixes.length + objects.length > 0, 'must have prefixes or objects');

/** What a connection to Google Cloud Storage is configured with. */
export type GcsConfig = z.output<typeof gcsConfigSchema>;
