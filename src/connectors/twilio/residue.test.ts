import { describe, expect, it } from 'vitest';
import { residueSchema } from '../../contract/outcomes.ts';
import { fromMemory } from './addresses.ts';
import { retryNotFinalMs } from './delete-objects.ts';
import { lookAgainMs } from './erase-profile.ts';
import { residueOf } from './residue.ts';
import { sourcesOf } from './sources.ts';

const now = Date.parse('2026-01-01T00:00:00.000Z');

describe('what stays at Twilio', () => {
  it('is named with its end date: recording metadata 40 days, logs 14, voice insights 30, billing without one', () => {
    const residue = residueOf({ message: 2, call: 1, recording: 3 }, now);
    expect(residue).toMatchObject([
      { what: 'recording_metadata', count: 3, until: '2026-02-10T00:00:00.000Z' },
      { what: 'request_logs', until: '2026-01-15T00:00:00.000Z' },
      { what: 'billing_records' },
      { what: 'voice_insights', until: '2026-01-31T00:00:00.000Z' },
      { what: 'conference_recordings' },
    ]);
    expect(residue[2]).not.toHaveProperty('until');
    for (const each of residue) expect(residueSchema.safeParse(each).success).toBe(true);
  });

  it('is nothing where nothing was there', () => {
    expect(residueOf({}, now)).toEqual([]);
  });
});

describe('the lists that are searched', () => {
  it('are those of both sides and both forms of a number', () => {
    const sources = sourcesOf({ kind: 'phone', value: '+12025550111' });
    for (const list of ['calls', 'messages']) {
      for (const side of ['to', 'from']) {
        for (const address of ['+12025550111', 'whatsapp:+12025550111']) expect(sources).toContainEqual({ list, side, address });
      }
    }
    expect(sources).toHaveLength(12);
  });

  it('are none for a name that another system gave', () => {
    expect(sourcesOf({ kind: 'stripe_customer', value: 'cus_1' })).toEqual([]);
  });
});

describe('waiting for Twilio', () => {
  it('asks for what is not final no sooner than after a minute, and about 40 times in 14 days', () => {
    expect(retryNotFinalMs(0)).toBe(60_000);
    let asked = 0;
    for (let at = 0; at < 14 * 86_400_000; at += retryNotFinalMs(at)) asked += 1;
    expect(asked).toBeLessThan(100);
  });

  it('looks for a deleted profile at most five times in the first three minutes, and less and less often', () => {
    expect(lookAgainMs(0)).toBe(5000);
    let looks = 0;
    for (let at = 0; at < 180_000; at += lookAgainMs(at)) looks += 1;
    expect(looks).toBeLessThanOrEqual(5);
    expect(lookAgainMs(86_400_000)).toBe(3_600_000);
  });
});

describe('identifiers of a Memory profile', () => {
  it.each([
    ['+1 (202) 555-0111', { kind: 'phone', value: '+12025550111' }],
    ['whatsapp:+12025550111', { kind: 'phone', value: '+12025550111' }],
    [' Ada@Example.COM', { kind: 'email', value: 'ada@example.com' }],
    ['crm-4711', undefined],
    ['2025550111', undefined],
  ])('%s is read as what it is', (raw, expected) => {
    expect(fromMemory(raw)).toEqual(expected);
  });
});
