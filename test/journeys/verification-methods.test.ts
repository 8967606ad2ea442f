import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openEmbedded } from '../../src/platform/db/embedded.ts';
import { startProofService } from '../../src/sandbox/proof/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';
import { defaultAccount, defaultVerifyService } from '../../src/sandbox/twilio/index.ts';
import { call, eventually, sendWebhook, untilStatus } from '../support/quittance.ts';
import { findMarks, markForms, rowsOf } from '../support/marks.ts';
import { ada, effectsOf, movableClock, plantAda, untilShredded, useBench, type Running } from '../support/running.ts';

const bench = useBench();
const dayMs = 86_400_000;
const proof = 'Zyx-proof-of-ada-0001-sixteen-or-more';
let service: Simulator;

beforeAll(async () => {
  service = await startProofService();
});
beforeEach(() => {
  service.reset();
  service.seed({ people: [{ identity_proof_hash: proof, email: ada.email, phone: ada.phone }] });
});
afterAll(() => service.close());

interface TwilioDump {
  readonly messages: readonly { readonly to: string; readonly body: string }[];
  readonly verify_codes: readonly { readonly to: string; readonly code: string }[];
}

/** Calls to the vendors, but for those that carry a code to a telephone. */
function connectorCalls(): number {
  const { stripe, twilio, segment } = bench.sandbox();
  const ofTwilio = twilio.calls.filter((each) => !(each.method === 'POST' && /\/(Messages\.json|Verifications|VerificationCheck)$/u.test(each.path)));
  return stripe.calls.length + ofTwilio.length + segment.calls.length;
}

const secret = '${env:CRM_SECRET}';
async function start(how: { readonly verify: string; readonly verifyService?: true }, options: Parameters<typeof bench.start>[1] = {}): Promise<Running> {
  const twilioUrl = bench.sandbox().twilio.url;
  const sms = { account_sid: defaultAccount.accountSid, auth: { auth_token: '${env:TWILIO_TOKEN}' }, hosts: { api: twilioUrl, verify: twilioUrl }, from: '+12025550100', ...(how.verifyService ? { verify_service: defaultVerifyService } : {}) };
  return bench.start(
    {
      identity: { sms, proof_service: { url: `${service.url}/check`, token: '${env:PROOF_TOKEN}', timeout_seconds: 2 } },
      sources: { desk: { secret, verify: how.verify, jurisdiction: 'DE' } },
    },
    options,
  );
}

/** The message with the code is the person's data too, and is erased like any other, once it is no longer on its way. */
const delivered = (): void => bench.sandbox().twilio.advance(5000);
const twilioDump = (): TwilioDump => bench.sandbox().twilio.dump() as TwilioDump;
const give = (url: string, id: string, code: string): ReturnType<typeof call> => call(url, `/v1/privacy-requests/${id}/verification`, { method: 'POST', body: JSON.stringify({ code }) });
const other = (code: string): string => String((Number(code) + 1) % 10 ** code.length).padStart(code.length, '0');
const entriesOf = async (url: string, id: string): Promise<readonly { type: string; verification_method?: string }[]> =>
  (await call(url, `/v1/privacy-requests/${id}/timeline`)).body['items'] as unknown as readonly { type: string; verification_method?: string }[];

/** How each kind of code is read by its person. */
const codes: readonly [string, { readonly verify: string; readonly verifyService?: true }, () => string | undefined][] = [
  ['email_code', { verify: 'email_code' }, () => /\b(\d{8})\b/u.exec(bench.sandbox().mail.messages.filter((each) => each.to.includes(ada.email)).at(-1)?.text ?? '')?.[1]],
  ['sms_code', { verify: 'sms_code' }, () => /\b(\d{8})\b/u.exec(twilioDump().messages.filter((each) => each.to === ada.phone).at(-1)?.body ?? '')?.[1]],
  ['sms_code', { verify: 'sms_code', verifyService: true }, () => twilioDump().verify_codes.find((each) => each.to === ada.phone)?.code],
];

describe('no connector is called before the person is verified', () => {
  test.each(codes)('by a code (%s, %j)', async (method, how, read) => {
    const { url } = await start(how);
    const { body } = await sendWebhook(url, { request_id: 'case-1', subject_email: ada.email, subject_phone: ada.phone }, { source: 'desk' });
    expect(body['verification']).toMatchObject({ method });
    const id = String(body['id']);
    const code = await eventually('The code', async () => read());
    delivered();
    // Planted now, so that the message with the code is the only one before.
    plantAda(bench.sandbox());
    expect((await give(url, id, other(code))).status).toBe(403);
    expect(connectorCalls()).toBe(0);
    expect((await give(url, id, code)).status).toBe(200);
    // What the code did not prove waits for a person; what it proved is erased.
    await untilStatus(url, id, ['escalated']);
    expect(connectorCalls()).toBeGreaterThan(0);
    const effects = effectsOf(bench.sandbox());
    if (method === 'email_code') {
      expect(effects['customer.deleted']).toBe(1);
      expect(effects['message.deleted']).toBeUndefined();
    } else {
      expect(effects['message.deleted']).toBeGreaterThan(0);
      expect(effects['customer.deleted']).toBeUndefined();
    }
    expect((await entriesOf(url, id)).find((each) => each.type === 'request.verified')?.verification_method).toBe(method);
  });

  test('by a proof, and a proof of nobody has none called', async () => {
    const { url } = await start({ verify: 'proof' });
    plantAda(bench.sandbox());
    const sent = { subject_email: ada.email, subject_phone: ada.phone, jurisdiction: 'DE' };
    const wrong = await sendWebhook(url, { ...sent, request_id: 'case-1', identity_proof_hash: 'a-proof-of-nobody-at-all-0001' }, { source: 'desk' });
    const wrongId = String(wrong.body['id']);
    await eventually('The failure', async () => ((await entriesOf(url, wrongId)).some((each) => each.type === 'request.verification_failed') ? true : undefined));
    expect(connectorCalls()).toBe(0);
    expect((await call(url, `/v1/privacy-requests/${wrongId}`)).body['status']).toBe('verifying');
    const right = await sendWebhook(url, { ...sent, request_id: 'case-2', identity_proof_hash: proof }, { source: 'desk' });
    const closed = await untilStatus(url, String(right.body['id']), ['closed', 'escalated']);
    expect(closed['status']).toBe('closed');
    expect(effectsOf(bench.sandbox())).toMatchObject({ 'customer.deleted': 1, 'message.deleted': 2 });
    expect((await entriesOf(url, String(right.body['id']))).find((each) => each.type === 'request.verified')?.verification_method).toBe('proof');
  });
});

test('a verification service that is away for the whole window has the request expire, and no connector called', async () => {
  const clock = movableClock();
  const { url, sweep } = await start({ verify: 'proof' }, { clock });
  service.fault({ kind: 'status', status: 503, times: 1000 });
  const { body } = await sendWebhook(url, { request_id: 'case-1', subject_email: ada.email, identity_proof_hash: proof }, { source: 'desk' });
  const id = String(body['id']);
  await eventually('A second question', async () => (service.calls.length >= 2 ? true : undefined));
  clock.advance(15 * dayMs);
  await sweep();
  await untilStatus(url, id, ['expired']);
  await untilShredded(url, id);
  service.clearFaults();
  expect(connectorCalls()).toBe(0);
  expect((await call(url, `/v1/privacy-requests/${id}`)).body['status']).toBe('expired');
});

test('who has a proven number and no proven address is told by SMS that their request is closed, and the address hears nothing', async () => {
  const { url } = await start({ verify: 'sms_code' });
  const stranger = 'unproven.address@example.com';
  const { body } = await sendWebhook(url, { phone: '+12025550122', email: stranger }, { source: 'desk' });
  const id = String(body['id']);
  const textsTo = (): readonly { readonly body: string }[] => twilioDump().messages.filter((each) => each.to === '+12025550122');
  const code = await eventually('The code', async () => /\b(\d{8})\b/u.exec(textsTo()[0]?.body ?? '')?.[1]);
  delivered();
  expect((await give(url, id, code)).status).toBe(200);
  await untilStatus(url, id, ['escalated', 'closed']);
  const waiting = (await call(url, `/v1/manual-tasks?request_id=${id}`)).body['items'] as unknown as readonly { id: string }[];
  for (const each of waiting) await call(url, `/v1/manual-tasks/${each.id}/settle`, { method: 'POST', body: JSON.stringify({ how: 'skipped_by_operator', reason: 'test_system' }) });
  await untilStatus(url, id, ['closed']);
  const text = await eventually('The text', async () => textsTo().find((each) => each.body.includes('is closed')));
  expect(text.body).toContain(String(body['reference']));
  expect(bench.sandbox().mail.messages.filter((each) => each.to.includes(stranger))).toEqual([]);
});

test('a process that dies while a proof is judged goes on with it when it starts again, and nothing of the proof is left once it is judged', async () => {
  const lines: string[] = [];
  const logTo = { write: (line: string) => void lines.push(line) };
  const first = await start({ verify: 'proof' }, { logLevel: 'trace', logTo });
  service.fault({ kind: 'status', status: 503, times: 2, retryAfter: 3600 });
  const { body } = await sendWebhook(first.url, { request_id: 'case-1', subject_email: ada.email, identity_proof_hash: proof }, { source: 'desk' });
  const id = String(body['id']);
  await eventually('The question', async () => (service.calls.length > 0 ? true : undefined));
  await first.stop();
  service.clearFaults();
  const second = await start({ verify: 'proof' }, { folder: first.folder, logLevel: 'trace', logTo });
  await untilStatus(second.url, id, ['closed', 'escalated']);
  await second.stop();
  const marks = [markForms('the proof', [proof]), markForms('the address', [ada.email], 'email')];
  const places = [...(await rowsOf(`${first.folder}/main`)), ...(await rowsOf(`${first.folder}/audit`)), { where: 'the log', content: lines.join('\n') }];
  expect(places.length).toBeGreaterThan(50);
  expect(places.flatMap((each) => findMarks(marks, each.where, each.content))).toEqual([]);
  const database = await openEmbedded(`${first.folder}/main`);
  const { rows } = await sql<{ left: number }>`SELECT count(proof)::int AS left FROM verification`.execute(database.read());
  await database.close();
  expect(rows).toEqual([{ left: 0 }]);
});
