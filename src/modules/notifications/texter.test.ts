import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { networkTransport } from '../../connector-kit/index.ts';
import { documentSchema, type SmsConfig } from '../../platform/config/document.ts';
import { createLog } from '../../platform/log.ts';
import type { Simulator } from '../../sandbox/simulator.ts';
import { defaultAccount, defaultVerifyService, startTwilio } from '../../sandbox/twilio/index.ts';
import { createTexter, type Texter } from './texter.ts';

const to = '+12025550143';
/** Twilio's own magic number that cannot receive a message. */
const landLine = '+15005550009';
let twilio: Simulator;
const logged: string[] = [];

beforeAll(async () => {
  twilio = await startTwilio();
});
beforeEach(() => {
  twilio.reset();
  logged.length = 0;
});
afterAll(() => twilio.close());

function configOf(part: object): SmsConfig {
  const sms = { account_sid: defaultAccount.accountSid, auth: { auth_token: '${env:TOKEN}' }, hosts: { api: twilio.url, verify: twilio.url }, ...part };
  const { identity } = documentSchema.parse({ version: 1, controller: { name: 'Shop', contact: 'privacy@shop.example' }, identity: { sms } });
  if (identity.sms === undefined) throw new Error('no sms');
  return identity.sms;
}

function texterOf(part: object, token: string = defaultAccount.authToken): Texter {
  return createTexter(configOf(part), {
    secrets: { environment: { TOKEN: token, SECRET: defaultAccount.apiKey.secret, SID: defaultAccount.apiKey.sid }, readFile: () => '' },
    transport: networkTransport,
    log: createLog('trace', { write: (line) => void logged.push(line) }),
  });
}

const dump = (): { messages: { to: string; from: string; body: string }[]; verify_codes: { to: string; code: string; sends: number }[] } => twilio.dump() as never;

describe('a plain message', () => {
  it('reaches the number, from the configured sender, with an API key as well', async () => {
    expect(await texterOf({ from: '+12025550100' }).sendText?.(to, 'hello: 04711815 & more')).toBe('accepted');
    const auth = { api_key: '${env:SID}', api_secret: '${env:SECRET}' };
    expect(await texterOf({ auth, from: `MG${'a'.repeat(32)}` }).sendText?.(to, 'again')).toBe('accepted');
    expect(dump().messages).toMatchObject([{ to, from: '+12025550100', body: 'hello: 04711815 & more' }, { to, body: 'again' }]);
  });

  it('to a number that no message reaches is refused for good', async () => {
    expect(await texterOf({ from: '+12025550100' }).sendText?.(landLine, 'hello')).toBe('refused');
    expect(dump().messages).toEqual([]);
  });

  it.each(['status', 'lost', 'malformed'] as const)('that Twilio did not plainly take (%s) failed, and may be sent again', async (kind) => {
    twilio.fault({ kind, status: 503 });
    expect(await texterOf({ from: '+12025550100' }).sendText?.(to, 'hello')).toBe('failed');
    expect(await texterOf({ from: '+12025550100' }).sendText?.(to, 'hello')).toBe('accepted');
  });

  it('with a wrong credential failed: that is about us, and is mended by an operator', async () => {
    expect(await texterOf({ from: '+12025550100' }, 'another-token').sendText?.(to, 'hello')).toBe('failed');
  });
});

describe('a code of Verify', () => {
  it('is sent, and judged right once and wrong ever after', async () => {
    const { codes } = texterOf({ verify_service: defaultVerifyService });
    expect(await codes?.send(to)).toBe('accepted');
    const code = dump().verify_codes[0]?.code ?? '';
    expect(code).toMatch(/^\d{6}$/u);
    expect(await codes?.judge(to, code === '000000' ? '111111' : '000000')).toBe('wrong');
    expect(await codes?.judge(to, code)).toBe('right');
    expect(await codes?.judge(to, code)).toBe('wrong');
  });

  it('is wrong once it expired, was tried too often, or was never sent', async () => {
    const { codes } = texterOf({ verify_service: defaultVerifyService });
    expect(await codes?.judge(to, '123456')).toBe('wrong');
    await codes?.send(to);
    const code = dump().verify_codes[0]?.code ?? '';
    for (let n = 0; n < 5; n += 1) await codes?.judge(to, code === '000000' ? '111111' : '000000');
    expect(await codes?.judge(to, code)).toBe('wrong');
    twilio.advance(601_000);
    await codes?.send(to);
    const second = dump().verify_codes[0]?.code ?? '';
    twilio.advance(601_000);
    expect(await codes?.judge(to, second)).toBe('wrong');
  });

  it.each(['status', 'lost', 'malformed'] as const)('that could not be judged (%s) is unknown, never right', async (kind) => {
    const { codes } = texterOf({ verify_service: defaultVerifyService });
    await codes?.send(to);
    twilio.fault({ kind, status: 500, path: 'VerificationCheck' });
    expect(await codes?.judge(to, '123456')).toBe('unknown');
  });

  it('that was sent too often failed, and one to a land line is refused', async () => {
    const { codes } = texterOf({ verify_service: defaultVerifyService });
    for (let n = 0; n < 5; n += 1) expect(await codes?.send(to)).toBe('accepted');
    expect(await codes?.send(to)).toBe('failed');
    expect(await codes?.send(landLine)).toBe('refused');
  });
});

it('no number, text or code is ever logged', async () => {
  const texter = texterOf({ from: '+12025550100', verify_service: defaultVerifyService });
  await texter.sendText?.(landLine, 'secret 04711815');
  twilio.fault({ kind: 'status', status: 500, times: 2 });
  await texter.sendText?.(to, 'secret 04711815');
  await texter.codes?.judge(to, '04711815');
  expect(logged).toHaveLength(3);
  expect(logged.join('\n')).not.toMatch(/2025550143|5005550009|04711815|secret/u);
});

it('what is not configured is not offered, and an account that is none is refused', () => {
  expect(texterOf({ from: '+12025550100' }).codes).toBeUndefined();
  expect(texterOf({ verify_service: defaultVerifyService }).sendText).toBeUndefined();
  expect(() => texterOf({ account_sid: '${env:TOKEN}', from: '+12025550100' })).toThrow(/CONFIG_INVALID: \/identity\/sms\/account_sid must be AC/u);
});
