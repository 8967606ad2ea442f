import { describe, expect, it } from 'vitest';
import { literalProfileUrl, twilioConfigSchema } from './config.ts';
import { twilioConnector } from './index.ts';

const base = { account_sid: `AC${'0'.repeat(32)}`, auth: { auth_token: 't' } };
const literal = (url: string): unknown => ({ ...base, profiles: 'literal', literal_profile_url: url });

describe('the configuration of a Twilio connection', () => {
  it('defaults to the vendor\'s hosts, Conversation Memory and no literal endpoint', () => {
    const config = twilioConfigSchema.parse(base);
    expect(config).toMatchObject({ profiles: 'memory', own_numbers: [], hosts: { api: 'https://api.twilio.com' } });
    expect(twilioConnector.egress(config)).toEqual(['https://api.twilio.com', 'https://conversations.twilio.com', 'https://memory.twilio.com']);
  });

  it('gives egress to the literal endpoint where it is configured, and none to Memory then', () => {
    const config = twilioConfigSchema.parse(literal('https://profiles.example.com/{ProfileSid}'));
    expect(twilioConnector.egress(config)).toEqual(['https://api.twilio.com', 'https://conversations.twilio.com', 'https://profiles.example.com']);
    expect(twilioConnector.capabilities(config).actions).toEqual(['erase']);
  });

  it('claims no profiles where there are none', () => {
    expect(twilioConnector.capabilities(twilioConfigSchema.parse({ ...base, profiles: 'none' })).erases).toEqual(['phone', 'email']);
    expect(twilioConnector.capabilities(twilioConfigSchema.parse(base)).erases).toEqual(['phone', 'email', 'twilio_profile']);
  });

  it.each([
    ['an account sid of another form', { ...base, account_sid: 'AC1' }],
    ['two kinds of credentials', { ...base, auth: { auth_token: 't', api_key: `SK${'0'.repeat(32)}`, api_secret: 's' } }],
    ['a host with a path', { ...base, hosts: { api: 'https://example.com/twilio' } }],
    ['a number that is not E.164', { ...base, own_numbers: ['2025550100'] }],
    ['a template without the profile', literal('https://example.com/{AccountSid}')],
    ['a template whose host is variable', literal('https://{ProfileSid}.example.com/')],
    ['a template with another name', literal('https://example.com/{ProfileSid}/{Other}')],
  ])('refuses %s', (_name, config) => {
    expect(twilioConfigSchema.safeParse(config).success).toBe(false);
  });

  it('keeps a hostile profile id within its path segment', () => {
    const config = twilioConfigSchema.parse(base);
    expect(literalProfileUrl(config, '../Messages/SM1?x=#$&')).toBe(`https://api.twilio.com/2010-04-01/Accounts/${base.account_sid}/Profiles/..%2FMessages%2FSM1%3Fx%3D%23%24%26.json`);
  });
});
