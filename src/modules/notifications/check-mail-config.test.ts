import { expect, it } from 'vitest';
import { documentSchema } from '../../platform/config/document.ts';
import { checkMailConfig } from './check-mail-config.ts';

const base = { version: 1, controller: { name: 'Shop', contact: 'privacy@shop.example' } };
const secret = '${env:SHOP}';
const mail = { smtp_url: 'smtp://localhost:2525', from: 'privacy@shop.example' };
const check = (part: object): void => checkMailConfig(documentSchema.parse({ ...base, ...part }));

it('a source or an API key that verifies nobody needs a mail server, and is named', () => {
  expect(() => check({ sources: { shop: { secret, subject_verified: true }, form: { secret } } })).toThrow(/CONFIG_INVALID: \/sources\/form /u);
  expect(() => check({ access: { api_keys: [{ name: 'web', key: secret, subject_verified: false }] } })).toThrow(/\/access\/api_keys \(web\)/u);
});

it('with a mail server, or with sources that verify, nothing is missing', () => {
  check({ sources: { form: { secret } }, mail });
  check({ sources: { shop: { secret, subject_verified: true } }, access: { api_keys: [{ name: 'desk', key: secret }] } });
  check({});
});
