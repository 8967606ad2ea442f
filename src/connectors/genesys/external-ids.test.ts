import { describe, expect, it } from 'vitest';
import { genesysConfigSchema, type GenesysConfig } from './config.ts';
import { externalIdsOf } from './external-ids.ts';
import { genesysConnector } from './index.ts';

const configWith = (rest: object): GenesysConfig => genesysConfigSchema.parse({ api: 'pii', region: 'mypurecloud.ie', client_id: 'c', client_secret: 's', ...rest });
const id = (value: string) => ({ kind: 'external_id', value }) as const;
const email = { kind: 'email', value: 'ada@example.com' } as const;

describe('the external ids that a person can have at Genesys', () => {
  it.each([
    ['the value as it is', {}, 'Ab-12', 'Ab-12'],
    ['a prefix in front', { prefix: 'CRM-' }, 'Ab-12', 'CRM-Ab-12'],
    ['a prefix that is there already, once', { prefix: 'CRM-' }, 'CRM-Ab-12', 'CRM-Ab-12'],
    ['a prefix in the wrong case, once and in the right one', { prefix: 'CRM-' }, 'crm-Ab-12', 'CRM-Ab-12'],
    ['upper case behind a prefix that keeps its own', { prefix: 'crm:', case: 'upper' }, 'Ab-12', 'crm:AB-12'],
    ['lower case', { case: 'lower' }, 'Ab-12', 'ab-12'],
    ['a value that is only the prefix, as a value', { prefix: 'CRM-' }, 'CRM-', 'CRM-CRM-'],
  ])('are %s', (_name, how, given, expected) => {
    expect(externalIdsOf(configWith({ external_id: how }), id(given))).toEqual([expected]);
  });

  it('are the main one first and each variant once, without the prefix of today', () => {
    const variants = [
      { of: 'external_id', prefix: 'legacy:', case: 'lower' },
      { of: 'external_id', case: 'as_is' },
      { of: 'external_id', prefix: 'CRM-', case: 'upper' },
      { of: 'email', hash: 'sha256' },
    ];
    expect(externalIdsOf(configWith({ external_id: { prefix: 'CRM-', case: 'upper' }, variants }), id('crm-Ab12'))).toEqual(['CRM-AB12', 'legacy:ab12', 'Ab12']);
  });

  it('are the SHA-256 of an e-mail address, behind its prefix, only where that is configured', () => {
    const hash = 'b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72';
    expect(externalIdsOf(configWith({ variants: [{ of: 'email', prefix: 'h:', hash: 'sha256' }] }), email)).toEqual([`h:${hash}`]);
    expect(externalIdsOf(configWith({}), email)).toEqual([]);
  });
});

describe('the configuration of a Genesys connection', () => {
  const secrets = { client_id: 'c', client_secret: 's' };

  it.each([
    ['no host at all', { api: 'pii', ...secrets }],
    ['a region and a host', { api: 'pii', region: 'mypurecloud.ie', base_url: 'https://api.example.com', login_url: 'https://login.example.com', ...secrets }],
    ['a host without its login', { api: 'pii', base_url: 'https://api.example.com', ...secrets }],
    ['a region that is none of Genesys’ domains', { api: 'pii', region: 'mypurecloud.example', ...secrets }],
    ['no choice between the two APIs', { region: 'mypurecloud.ie', ...secrets }],
    ['a scope that does not exist', { api: 'pii', region: 'mypurecloud.ie', scope: ['everything'], ...secrets }],
    ['an empty scope', { api: 'pii', region: 'mypurecloud.ie', scope: [], ...secrets }],
    ['a scope twice', { api: 'pii', region: 'mypurecloud.ie', scope: ['sms', 'sms'], ...secrets }],
    ['a scope for the GDPR API, which has none', { api: 'gdpr', region: 'mypurecloud.ie', scope: ['sms'], ...secrets }],
    ['a callback secret that is too short', { api: 'pii', region: 'mypurecloud.ie', callback_secret: 'short', ...secrets }],
  ])('refuses %s', (_name, config) => {
    expect(genesysConfigSchema.safeParse(config).success).toBe(false);
  });

  it.each(['mypurecloud.com', 'mypurecloud.com.au', 'euw2.pure.cloud', 'use2.us-gov-pure.cloud'])('takes the region %s', (region) => {
    expect(genesysConfigSchema.safeParse({ api: 'gdpr', region, ...secrets }).success).toBe(true);
  });
});

describe('two people', () => {
  it.each([
    ['a prefix that ends in a letter', { prefix: 'C' }, '100', 'c100'],
    ['a prefix that ends in a digit', { prefix: '1' }, '1234', '234'],
    ['upper case beyond ASCII', { case: 'upper' }, 'maß', 'MASS'],
    ['lower case beyond ASCII', { case: 'lower' }, '\u212A1', 'k1'],
  ])('stay two with %s', (_name, how, one, other) => {
    const config = configWith({ external_id: how });
    expect(externalIdsOf(config, id(one))).not.toEqual(externalIdsOf(config, id(other)));
  });

  it('are a finding where a prefix cannot be told from an id, and not otherwise', () => {
    const findings = (rest: object): readonly string[] => genesysConnector.findings?.(configWith(rest)) ?? [];
    expect(findings({ external_id: { prefix: 'C' } })).toEqual([expect.stringContaining('A prefix ends in a letter or a digit')]);
    expect(findings({ variants: [{ of: 'external_id', prefix: 'old1' }] })).toHaveLength(1);
    expect(findings({ external_id: { prefix: 'CRM-' } })).toEqual([]);
  });
});

describe('a Genesys connection', () => {
  it('is checked when a worker starts', () => {
    expect(genesysConnector.checksAtStart).toBe(true);
  });

  it('is a finding where its credentials would cross a public network in clear', () => {
    const clear = (base_url: string, login_url: string): readonly string[] => genesysConnector.findings?.(configWith({ region: undefined, base_url, login_url })) ?? [];
    expect(clear('https://api.example.com', 'http://login.example.com')).toEqual([expect.stringContaining('by http over a public network')]);
    expect(clear('http://127.0.0.1:4000', 'http://127.0.0.1:4000')).toEqual([]);
  });
});
