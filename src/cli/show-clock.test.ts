import { describe, expect, test } from 'vitest';
import { runCli } from './run-cli.ts';

const id = `req_${'0'.repeat(26)}`;
const clock = {
  law: 'gdpr',
  title: 'EU GDPR',
  law_version: '2026-11-21',
  grade: 'V/S',
  right: 'erasure',
  chosen_because: 'the law of DE',
  received_at: '2026-03-03T10:00:00.000Z',
  verified_at: null,
  dates: [{ name: 'due', at: '2026-04-03T21:59:59.000Z', done_at: null, steps: [{ what: 'answered within 1 month', source: 'GDPR Art. 12(3)', from: '2026-03-03T10:00:00.000Z', to: '2026-04-03T21:59:59.000Z' }] }],
  pauses: [{ condition: 'identity_verification_required', from: '2026-03-05T10:00:00.000Z', to: null }],
  extended: null,
  not_relied_on: [{ law: 'kenya_dpa', title: 'Kenya', due_at: '2026-03-17T20:59:59.000Z' }],
};

async function quittance(...arguments_: readonly string[]): Promise<{ code: number; out: string; err: string; sent: { url: string; body: unknown }[] }> {
  const sent: { url: string; body: unknown }[] = [];
  let [out, err] = ['', ''];
  const code = await runCli(arguments_, {
    process: { stdout: { write: (text) => (out += text) }, stderr: { write: (text) => (err += text) }, stdin: (async function* nothing() {})(), env: { QUITTANCE_API_KEY: 'secret-key' }, exitCode: null },
    fetch: (async (url: string, init: RequestInit) => {
      sent.push({ url, body: init.body === undefined ? undefined : JSON.parse(init.body as string) });
      return new Response(JSON.stringify(clock), { status: 200 });
    }) as typeof globalThis.fetch,
    now: () => Date.parse('2026-11-21T10:00:10.000Z'),
  });
  return { code, out, err, sent };
}

describe('the clock on the command line', () => {
  test('shows each date with its steps and sources, what is paused, and what was not relied on', async () => {
    const { code, out } = await quittance('request', 'clock', id);
    expect(code).toBe(0);
    for (const part of ['EU GDPR', 'the law of DE', 'due', '2026-04-03T21:59:59.000Z', 'answered within 1 month [GDPR Art. 12(3)]', 'paused for identity_verification_required', 'kenya_dpa']) expect(out).toContain(part);
    expect(JSON.parse((await quittance('request', 'clock', id, '--json')).out)).toEqual(clock);
  });

  test.each([
    [['extend', id, '--reason', 'complexity_of_process'], 'extend', { reason_code: 'complexity_of_process' }],
    [['extend', id, '--reason', 'complexity_of_process', '--until', '2026-12-31'], 'extend', { reason_code: 'complexity_of_process', until: '2026-12-31' }],
    [['pause', id, '--condition', 'information_required'], 'pause', { condition: 'information_required' }],
    [['resume', id], 'resume', {}],
    [['appeal', id], 'appeal', {}],
    [['appeal', id, '--decision', 'granted'], 'appeal/decision', { decision: 'granted' }],
    [['appeal', id, '--decision', 'denied', '--reason', 'legally_exempted'], 'appeal/decision', { decision: 'denied', reason_code: 'legally_exempted' }],
  ])('%j is sent as it was said', async (arguments_, action, body) => {
    const { code, sent } = await quittance('request', ...arguments_);
    expect(code).toBe(0);
    expect(sent).toEqual([{ url: `http://127.0.0.1:4000/v1/privacy-requests/${id}/${action}`, body }]);
  });

  test.each([[['appeal', id, '--decision', 'denied']], [['appeal', id, '--reason', 'legally_exempted']], [['extend', id, '--reason', 'because']], [['pause', id]]])('%j ends with 2, without a call', async (arguments_) => {
    const { code, sent } = await quittance('request', ...arguments_);
    expect(code).toBe(2);
    expect(sent).toEqual([]);
  });
});
