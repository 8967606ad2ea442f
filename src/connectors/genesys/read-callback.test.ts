import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Failure } from '../../connector-kit/index.ts';
import { readCallback } from './read-callback.ts';

const secret = 'a secret of the callbacks';
const now = 1_800_000_000_000;
const seconds = now / 1000;
const completed = '{"id":"job-1","externalId":"CRM-ADA-4711","status":"completed","recordsDeleted":5}';

function sign(body: string, options: { readonly at?: number; readonly key?: string; readonly over?: string } = {}) {
  const at = options.at ?? seconds;
  const v1 = createHmac('sha256', options.key ?? secret).update(`${at}.${options.over ?? body}`).digest('hex');
  return { headers: { 'x-genesys-signature': `t=${at},v1=${v1}` }, body: Buffer.from(body), now };
}

function codeOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof Failure) {
      expect(error.message).not.toContain('4711');
      return error.code;
    }
    throw error;
  }
  return 'accepted';
}

describe('a completion callback', () => {
  it('names its job and nothing else: what became of the job is asked for', () => {
    expect(readCallback(secret, sign(completed))).toEqual({ jobs: ['job-1'] });
  });

  it('that comes twice, or after one that is newer, says the same', () => {
    const running = '{"id":"job-1","status":"running"}';
    const all = [sign(completed), sign(completed), sign(running, { at: seconds - 60 })];
    expect(all.map((each) => readCallback(secret, each).jobs)).toEqual([['job-1'], ['job-1'], ['job-1']]);
  });

  it.each([
    ['with another secret', sign(completed, { key: 'another secret of somebody' })],
    ['over another body', sign(completed, { over: '{"id":"job-2"}' })],
    ['at another time than it says', { ...sign(completed), headers: { 'x-genesys-signature': sign(completed).headers['x-genesys-signature'].replace(`t=${seconds}`, `t=${seconds - 1}`) } }],
    ['not at all', { ...sign(completed), headers: {} }],
    ['with a header that is none', { ...sign(completed), headers: { 'x-genesys-signature': 't=1,v1=zz' } }],
    ['with a shorter signature', { ...sign(completed), headers: { 'x-genesys-signature': sign(completed).headers['x-genesys-signature'].slice(0, -2) } }],
  ])('that is forged, signed %s, is refused', (_name, callback) => {
    expect(codeOf(() => readCallback(secret, callback))).toBe('SIGNATURE_INVALID');
  });

  it.each([
    [-301, 'SIGNATURE_STALE'],
    [-300, 'accepted'],
    [300, 'accepted'],
    [301, 'SIGNATURE_STALE'],
  ])('that was signed %d seconds from now is %s', (offset, expected) => {
    expect(codeOf(() => readCallback(secret, sign(completed, { at: seconds + offset })))).toBe(expected);
  });

  it.each(['', 'not json', '[]', '{"job":"x"}', '{"id":7}', '{"id":"../../oauth"}'])('whose signed body is %j is refused', (body) => {
    expect(codeOf(() => readCallback(secret, sign(body)))).toBe('BODY_MALFORMED');
  });
});
