import { expect, test } from 'vitest';
import { documentSchema, type ConfigDocument } from '../../../platform/config/document.ts';
import { isFailure } from '../../../platform/failure.ts';
import { createRecipients } from './recipients.ts';

const hold = (...recipients: string[]) => ({ category: 'orders', purpose: 'delivery', legal_basis: 'contract', retention: '7 years', recipients });
const parcel = { name: 'Parcel Example', contact: 'privacy@parcel.example', identifiers: ['email'] };
const configOf = (recipients: object): ConfigDocument =>
  documentSchema.parse({
    version: 1,
    controller: { name: 'Shop', contact: 'privacy@shop.example' },
    connections: { shop: { connector: 'database', holds: { orders: hold('Parcel Example'), letters: hold('Parcel Example', 'Lawyer Example') } }, crm: { connector: 'http', holds: { notes: hold('Lawyer Example') } }, lawyer: { connector: 'manual' } },
    recipients,
  });
const refusal = (recipients: object): string => {
  try {
    createRecipients(configOf(recipients));
  } catch (error) {
    if (isFailure(error) && error.code === 'CONFIG_INVALID') return error.detail;
    throw error;
  }
  throw new Error('the configuration was taken');
};

test('those of some systems are whom their records name: by e-mail, by a connection of their own, or left to a person and found at the start', () => {
  const recipients = createRecipients(configOf({ parcel }));
  expect(recipients.of(['shop'])).toMatchObject({ mailed: [{ code: 'parcel', contact: 'privacy@parcel.example', identifiers: ['email'], corrections: [] }], undeclared: ['shop'] });
  expect(recipients.of(['crm'])).toEqual({ mailed: [], undeclared: ['crm'] });
  expect(recipients.of(['lawyer', 'nowhere'])).toEqual({ mailed: [], undeclared: [] });
  expect(recipients.findings).toEqual([expect.stringContaining('/connections/shop/holds: Lawyer Example'), expect.stringContaining('/connections/crm/holds: Lawyer Example')]);
  const whole = createRecipients(configOf({ parcel, lawyer: { name: 'Lawyer Example', connection: 'lawyer' } }));
  expect(whole.of(['shop', 'crm'])).toMatchObject({ mailed: [{ code: 'parcel' }], undeclared: [] });
  expect(whole.findings).toEqual([]);
  expect(whole.find('parcel')).toMatchObject({ name: 'Parcel Example' });
  expect(whole.find('lawyer')).toBeUndefined();
});

test('one whom no record names, two of one name, and one told by a connection that there is not, stop the start', () => {
  expect(refusal({ parcel: { ...parcel, name: 'Parcel Exmaple' } })).toContain('/recipients/parcel/name');
  expect(refusal({ parcel, other: parcel })).toContain('/recipients/other/name');
  expect(refusal({ lawyer: { name: 'Lawyer Example', connection: 'office' } })).toContain('/recipients/lawyer/connection');
});
