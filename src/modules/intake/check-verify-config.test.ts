import { expect, it } from 'vitest';
import { documentSchema } from '../../platform/config/document.ts';
import { checkVerifyConfig } from './check-verify-config.ts';

const base = { version: 1, controller: { name: 'Shop', contact: 'privacy@shop.example' } };
const secret = '${env:SHOP}';
const mail = { smtp_url: 'smtp://localhost:2525', from: 'privacy@shop.example' };
const sms = { account_sid: secret, auth: { auth_token: secret }, from: '+12025550100' };
const check = (part: object): void => checkVerifyConfig(documentSchema.parse({ ...base, ...part }));

it.each([
  ['a mail server', { sources: { shop: { secret, verify: 'source' }, form: { secret } } }, /CONFIG_INVALID: \/sources\/form has verify: email_code, which needs \/mail;/u],
  ['a sender of messages', { mail, sources: { form: { secret, verify: 'sms_code' } } }, /\/sources\/form .* needs \/identity\/sms;/u],
  ['a verification service', { mail, sources: { form: { secret, verify: 'proof' } } }, /\/sources\/form .* needs \/identity\/proof_service;/u],
  ['a mail server for an API key', { access: { api_keys: [{ name: 'web', key: secret, verify: 'email_code' }] } }, /\/access\/api_keys \(web\)/u],
])('who needs %s and has none is named', (_what, part, message) => {
  expect(() => check(part)).toThrow(message);
});

it('with what is needed, or with sources that verify, nothing is missing', () => {
  check({ sources: { form: { secret } }, mail });
  check({ sources: { form: { secret, verify: 'sms_code' } }, identity: { sms } });
  check({ sources: { form: { secret, verify: 'proof' } }, identity: { proof_service: { url: 'https://proof.example/check', token: secret } } });
  check({ sources: { shop: { secret, verify: 'source' } }, access: { api_keys: [{ name: 'desk', key: secret }] } });
  check({});
});

it('a sender of messages without a service and without a number is refused, and so is a secret that is written out', () => {
  expect(() => check({ identity: { sms: { ...sms, from: undefined } } })).toThrow(/verify_service, from, or both/u);
  expect(() => check({ identity: { sms: { ...sms, auth: { auth_token: 'hunter2' } } } })).toThrow();
});
