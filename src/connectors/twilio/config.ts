import { z } from 'zod';

const origin = z
  .url({ protocol: /^https?$/u })
  .refine((value) => new URL(value).pathname === '/' && !/[?#@]/u.test(value), 'must be an origin: no path, query, fragment or credentials')
  .transform((value) => new URL(value).origin);
const sid = (prefix: string): z.ZodString => z.string().regex(new RegExp(`^${prefix}[0-9a-fA-F]{32}$`, 'u'), `${prefix} and 32 hexadecimal digits`);
const template = z
  .string()
  .refine((value) => value.split('{ProfileSid}').length === 2, 'must name {ProfileSid} once')
  .refine((value) => !/[{}]/u.test(value.replace('{AccountSid}', '').replace('{ProfileSid}', '')), 'may name {AccountSid} and {ProfileSid} only')
  .refine((value) => URL.canParse(value) && /^https?:$/u.test(new URL(value).protocol) && !/[{}]/u.test(new URL(value).host), 'must be an http or https URL with a fixed host');

/** What a Twilio connection is configured with; secrets are already resolved. */
export const twilioConfigSchema = z.strictObject({
  account_sid: sid('AC'),
  auth: z.union([
    z.strictObject({ api_key: sid('SK'), api_secret: z.string().min(1) }),
    z.strictObject({ auth_token: z.string().min(1) }),
  ]),
  hosts: z
    .strictObject({
      api: origin.default('https://api.twilio.com'),
      conversations: origin.default('https://conversations.twilio.com'),
      memory: origin.default('https://memory.twilio.com'),
    })
    .prefault({}),
  /** Which Memory stores are searched; every store of the account when absent. */
  memory_store_ids: z.array(z.string().regex(/^mem_(store|service)_[0-7][0-9a-z]{25}$/u)).min(1).optional(),
  /** Where the unified profile is: Conversation Memory, the literal endpoint of an in-house deployment, or nowhere. */
  profiles: z.enum(['memory', 'literal', 'none']).default('memory'),
  literal_profile_url: template.default('https://api.twilio.com/2010-04-01/Accounts/{AccountSid}/Profiles/{ProfileSid}.json'),
  /** The account's own numbers, E.164. Nobody is erased by them. */
  own_numbers: z.array(z.string().regex(/^\+[1-9]\d{6,14}$/u)).default([]),
  /** The chat identities of the account's own agents and bots: a conversation with them alone is the person's and is deleted whole. */
  own_identities: z.array(z.string().min(1)).default([]),
});

/** What a Twilio connection is configured with. */
export type TwilioConfig = z.output<typeof twilioConfigSchema>;

/** The Basic credentials: an API key with its secret, or the account with its token. */
export function credentialsOf(config: TwilioConfig): { readonly username: string; readonly password: string } {
  const { auth } = config;
  return 'auth_token' in auth ? { username: config.account_sid, password: auth.auth_token } : { username: auth.api_key, password: auth.api_secret };
}

/** The literal endpoint's URL for one profile, whose id cannot reach beyond its own path segment. */
export function literalProfileUrl(config: TwilioConfig, profile: string): string {
  return config.literal_profile_url.replace('{AccountSid}', () => config.account_sid).replace('{ProfileSid}', () => encodeURIComponent(profile));
}
