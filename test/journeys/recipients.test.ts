import { expect, test } from 'vitest';
import { call, eventually, untilStatus } from '../support/quittance.ts';
import { movableClock, untilShredded } from '../support/running.ts';
import { ada, useRights } from './rights-bench.ts';

const bench = useRights();
const subject = { identifiers: [{ kind: 'email', value: ada.email }] };
const parcel = { name: 'Parcel Example', contact: 'privacy@parcel.example', identifiers: ['email'], corrections: ['phone'], reference: 'contract 4711' };
const lawyer = { name: 'Lawyer Example', contact: 'office@lawyer.example', identifiers: ['user_id'], language: 'de' };
const disclosedTo = [parcel.name, lawyer.name];
const recipients = { parcel, lawyer };
const toRecipients = () => bench.mail().messages.filter((each) => each.to.some((to) => to.endsWith('parcel.example') || to.endsWith('lawyer.example')));
const entriesOf = (id: string) => bench.items(`/v1/privacy-requests/${id}/timeline`);

test('each recipient hears of an erasure, once, by the names that its declaration allows and by no other; then the person is forgotten', { timeout: 120_000 }, async () => {
  const url = await bench.start({ disclosedTo, recipients });
  const id = await bench.open({ right: 'erasure', subject });
  expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
  const told = await bench.mailTo(parcel.contact, /we have erased it/u);
  expect(told).toContain(`email: ${ada.email}`);
  expect(told).toContain('contract 4711');
  expect(told).not.toContain(ada.external_id);
  expect(told).not.toContain(ada.phone);
  const inGerman = await bench.mailTo(lawyer.contact, /wir haben sie gelöscht/u);
  expect(inGerman).toContain(ada.external_id);
  expect(inGerman).not.toContain(ada.email);
  await untilShredded(url, id);
  expect(toRecipients()).toHaveLength(2);
  expect((await entriesOf(id)).filter((each) => each['recipient'] !== undefined).map((each) => `${String(each['type'])} ${String(each['recipient'])}`).toSorted()).toEqual(['notification.sent lawyer', 'notification.sent parcel']);
  expect(JSON.stringify(await entriesOf(id))).not.toContain(ada.email);
});

test('nobody is told of an erasure that found nobody', { timeout: 60_000 }, async () => {
  const url = await bench.start({ disclosedTo, recipients });
  const id = await bench.open({ right: 'erasure', subject: { identifiers: [{ kind: 'email', value: 'nobody@example.com' }] } });
  expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'nothing_held' });
  await untilShredded(url, id);
  expect(toRecipients()).toEqual([]);
});

test('a recipient hears what was corrected, as far as its declaration says', { timeout: 60_000 }, async () => {
  const url = await bench.start({ disclosedTo, recipients });
  const id = await bench.open({ right: 'rectification', subject, corrections: [{ field: 'phone', from: ada.phone, to: '+12025550199' }] });
  expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
  expect(await bench.mailTo(parcel.contact, /we have corrected it/u)).toContain('phone: +12025550199');
  expect(await bench.mailTo(lawyer.contact, /wir haben sie berichtigt/u)).not.toContain('+12025550199');
});

test('a recipient hears of a restriction and of its end; who has not the person hears of neither', { timeout: 60_000 }, async () => {
  const url = await bench.start({ disclosedTo, recipients });
  const nobody = await bench.open({ right: 'restriction', subject: { identifiers: [{ kind: 'email', value: 'nobody@example.com' }] } });
  expect(await untilStatus(url, nobody, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
  const id = await bench.open({ right: 'restriction', subject });
  expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
  expect(await bench.mailTo(parcel.contact, /may only be stored/u)).toContain(ada.email);
  await untilShredded(url, id);
  // The register outlives the request, and knows nobody: who lifts says whom.
  expect((await bench.post('/v1/restrictions/lift', { subject, right: 'restriction' })).body).toMatchObject({ lifted: 1 });
  expect(await bench.mailTo(parcel.contact, /This restriction has ended/u)).toContain(ada.email);
  expect(toRecipients().some((each) => each.text.includes('nobody@example.com'))).toBe(false);
  expect(crmEffects()).toEqual([]);
});
const crmEffects = () => bench.crm().effects;

test('a recipient whom nobody has declared is left to a person, and is told once that is mended; until then the person is not forgotten', { timeout: 120_000 }, async () => {
  const clock = movableClock();
  let url = await bench.start({ disclosedTo, recipients: { parcel }, clock });
  const id = await bench.open({ right: 'erasure', subject });
  await untilStatus(url, id, ['closed']);
  await bench.mailTo(parcel.contact, /we have erased it/u);
  const first = await bench.manualTask(id, 'RECIPIENT_NOT_TOLD');
  await bench.mailTo('dpo@example.com', /RECIPIENT_NOT_TOLD/u);
  expect((await entriesOf(id)).filter((each) => each['type'] === 'recipient.left_to_person')).toMatchObject([{ system: 'crm', reason_code: 'not_declared' }]);
  // A retry that mends nothing waits for a person again.
  expect((await bench.post(`/v1/manual-tasks/${first}/settle`, { how: 'retry' })).status).toBe(200);
  const second = await bench.manualTask(id, 'RECIPIENT_NOT_TOLD');
  clock.advance(3_600_000);
  expect((await call(url, `/v1/privacy-requests/${id}/plan`)).body['identifiers']).not.toEqual([]);
  url = await bench.start({ disclosedTo, recipients, clock });
  expect((await bench.post(`/v1/manual-tasks/${second}/settle`, { how: 'retry' })).status).toBe(200);
  expect(await bench.mailTo(lawyer.contact, /wir haben sie gelöscht/u)).toContain(ada.external_id);
  clock.advance(3_600_000);
  await untilShredded(url, id);
  expect(toRecipients()).toHaveLength(2);
});

test('a recipient that has to be told by hand is told by a person, who says where that can be seen', { timeout: 60_000 }, async () => {
  const url = await bench.start({ disclosedTo, recipients: { parcel } });
  const id = await bench.open({ right: 'erasure', subject });
  await untilStatus(url, id, ['closed']);
  const task = await bench.manualTask(id, 'RECIPIENT_NOT_TOLD');
  expect((await bench.post(`/v1/manual-tasks/${task}/settle`, { how: 'done_manually', evidence: 'letter:17' })).status).toBe(200);
  expect((await entriesOf(id)).find((each) => each['type'] === 'notification.settled_manually')).toMatchObject({ outcome: 'done_manually', error_code: 'RECIPIENT_NOT_TOLD', reason_code: 'letter:17' });
  await untilShredded(url, id);
  expect(await eventually('No open task', async () => ((await bench.items(`/v1/manual-tasks?request_id=${id}`)).length === 0 ? true : undefined))).toBe(true);
});
