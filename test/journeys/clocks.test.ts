import { expect, test } from 'vitest';
import { call, eventually, sendWebhook, untilStatus } from '../support/quittance.ts';
import { ada, plantAda, useBench } from '../support/running.ts';

const bench = useBench();
const act = (url: string, id: string, action: string, body: unknown = {}) => call(url, `/v1/privacy-requests/${id}/${action}`, { method: 'POST', body: JSON.stringify(body) });

test('a request in French is received, extended, refused and appealed against, and the person hears of each step in French', { timeout: 60_000 }, async () => {
  const { url } = await bench.start({ requests: { approval: 'required' } });
  const sandbox = bench.sandbox();
  plantAda(sandbox, ada);
  const { body: accepted } = await sendWebhook(url, { subject: { identifiers: [{ kind: 'email', value: ada.email }] }, jurisdiction: 'US-VA', language: 'fr' });
  const id = String(accepted['id']);
  await untilStatus(url, id, ['awaiting_approval']);
  const hears = (what: string) => eventually(`The notice "${what}"`, async () => sandbox.mail.messages.find((each) => each.to.includes(ada.email) && each.subject.includes(what)));
  expect((await hears('nous avons reçu votre demande')).text).toContain('(Virginia VCDPA)');

  const { body: clock } = await call(url, `/v1/privacy-requests/${id}/clock`);
  expect(clock).toMatchObject({ law: 'vcdpa', right: 'erasure', paused: false });
  expect((await act(url, id, 'pause', { condition: 'identity_verification_required' })).body).toMatchObject({ code: 'LAW_FORBIDS' });
  expect((await act(url, id, 'extend', { reason_code: 'high_volume_of_processes' })).status).toBe(200);
  expect((await hears('il nous faut plus de temps')).text).toContain('les demandes sont nombreuses');

  expect((await act(url, id, 'reject', { reason_code: 'third_party_rights_impaired' })).status).toBe(200);
  const refused = await hears('nous ne donnons pas suite');
  expect(refused.text).toContain('elle porterait atteinte aux droits d’autrui');
  expect(refused.text).toContain('Vous pouvez former un recours');
  expect(refused.raw).toMatch(/^Content-Type: multipart\/alternative/imu);

  expect((await act(url, id, 'appeal')).status).toBe(200);
  await eventually('The officer’s notice', async () => sandbox.mail.messages.find((each) => each.to.includes('dpo@example.com') && each.subject.includes('appeal opened')));
  // The grace period of this configuration is over at once: the person stays reachable until the appeal is decided, and no longer.
  expect((await act(url, id, 'appeal/decision', { decision: 'denied', reason_code: 'third_party_rights_impaired' })).status).toBe(200);
  expect((await hears('décision sur votre recours')).text).toContain('maintenons notre décision');
  expect((await act(url, id, 'appeal')).body).toMatchObject({ code: 'CONFLICT' });
});
