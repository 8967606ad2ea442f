import { z } from 'zod';

/** What a PII deletion can cover. All of it unless a connection leaves something out, which is a finding. */
export const piiScopes = ['interactions', 'analytics', 'recordings', 'webchat', 'email', 'sms', 'social'] as const;
/** One part of what a PII deletion can cover. */
export type PiiScope = (typeof piiScopes)[number];

const origin = z
  .url({ protocol: /^https?$/u })
  .refine((value) => new URL(value).pathname === '/' && !/[?#@]/u.test(value), 'must be an origin: no path, query, fragment or credentials')
  .transform((value) => new URL(value).origin);
const url = z.url({ protocol: /^https?$/u }).refine((value) => !/[#@]/u.test(value), 'must have no fragment and no credentials');
/** Genesys Cloud's own domains only: a misspelt region would be given the client's secret. */
const region = z
  .string()
  .regex(/^(mypurecloud\.(com|ie|de|jp|com\.au)|[a-z0-9]{2,8}\.(us-gov-)?pure\.cloud)$/u, 'the domain of a Genesys Cloud region: mypurecloud.ie, euw2.pure.cloud');
const prefix = z.string().regex(/^[\x20-\x7e]{0,64}$/u, 'at most 64 printable ASCII characters');
const letterCase = z.enum(['upper', 'lower', 'as_is']);

const shared = {
  region: region.optional(),
  /** Both together instead of `region`. */
  base_url: origin.optional(),
  login_url: origin.optional(),
  client_id: z.string().min(1),
  client_secret: z.string().min(1),
  /** How Genesys writes the external ids: it compares them as exact strings. */
  external_id: z.strictObject({ prefix: prefix.default(''), case: letterCase.default('as_is') }).prefault({}),
  /** What else a person may be called there: ids of an earlier system, an address, the hash of one. */
  variants: z
    .array(
      z.strictObject({
        of: z.enum(['external_id', 'email', 'phone']),
        prefix: prefix.default(''),
        case: letterCase.default('as_is'),
        /** `sha256`: the lower-case hexadecimal digest of the value in lower case. */
        hash: z.literal('sha256').optional(),
      }),
    )
    .max(20)
    .default([]),
};

const piiSchema = z.strictObject({
  api: z.literal('pii'),
  ...shared,
  scope: z
    .array(z.enum(piiScopes))
    .min(1)
    .refine((scope) => new Set(scope).size === scope.length, 'names a scope twice')
    .default([...piiScopes]),
  /** Fixed values, added to what is said of the request. */
  metadata: z.record(z.string().regex(/^[a-z][a-z0-9_]{0,63}$/u), z.string().max(200)).default({}),
  /** With it completions that are called back are believed to be Genesys' own. */
  callback_secret: z.string().min(16).optional(),
  /** How the analytics aggregates are made anew after an erasure: Genesys' call, a synchronisation job of one's own, or not at all. */
  analytics_refresh: z.union([z.enum(['api', 'none']), z.strictObject({ url, token: z.string().min(1) })]).default('api'),
});
const gdprSchema = z.strictObject({
  api: z.literal('gdpr'),
  ...shared,
  /** Where the archives of exports may be fetched from besides the platform's own host: the origins that it refers to. */
  archive_origins: z.array(origin).max(20).default([]),
});

/** What a Genesys connection is configured with; secrets are already resolved. */
export const genesysConfigSchema = z.discriminatedUnion('api', [piiSchema, gdprSchema]).superRefine((config, check) => {
  const isExplicit = config.base_url !== undefined && config.login_url !== undefined;
  const isRegion = config.region !== undefined && config.base_url === undefined && config.login_url === undefined;
  if (!isRegion && !(isExplicit && config.region === undefined)) {
    check.addIssue({ code: 'custom', path: ['region'], message: 'give either region, or base_url and login_url together' });
  }
});

/** What a Genesys connection is configured with. */
export type GenesysConfig = z.output<typeof genesysConfigSchema>;
/** A connection that erases by the PII deletion form. */
export type PiiConfig = Extract<GenesysConfig, { readonly api: 'pii' }>;

/** A connection that uses the GDPR API. */
export type GdprConfig = Extract<GenesysConfig, { readonly api: 'gdpr' }>;

/** The origins of the platform's API and of its login. */
export function hostsOf(config: GenesysConfig): { readonly api: string; readonly login: string } {
  if (config.region !== undefined) return { api: `https://api.${config.region}`, login: `https://login.${config.region}` };
  return { api: config.base_url ?? '', login: config.login_url ?? '' };
}

/** The parts of what a deletion can cover that this connection leaves out. */
export function leftOut(config: PiiConfig): readonly PiiScope[] {
  return piiScopes.filter((scope) => !config.scope.includes(scope));
}
