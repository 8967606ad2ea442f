import { describe, expect, test } from 'vitest';
import { verifyCertificate } from '../../src/verify/index.ts';
import { call, untilStatus } from '../support/quittance.ts';
import { ada, certificateOf, effectsOf, movableClock, openRequest, plantAda, tasksOf, untilShredded, useBench } from '../support/running.ts';

const bench = useBench();
const dayMs = 86_400_000;

describe('what is too young to be redacted', () => {
  test('stays with a date, and is redacted and certified anew when it is old enough, with the vault kept until then', { timeout: 120_000 }, async () => {
    const clock = movableClock();
    const { url, sweep, audit } = await bench.start({ connections: { stripe: { mode: 'redact' } } }, { clock });
    const { stripe } = bench.sandbox();
    const seconds = Math.floor(Date.now() / 1000);
    stripe.seed({ account: { has_redaction: true, redaction_polls_per_stage: 1 } });
    plantAda(bench.sandbox(), { customers: [{ id: ada.customer, email: ada.email, name: 'Ada Example', charges: [{ amount: 1200, created: seconds - 10 * 86_400 }] }] });
    const id = await openRequest(url);
    const first = await untilStatus(url, id, ['closed']);
    expect(first['verdict']).toBe('fulfilled_with_retention');
    const young = (await tasksOf(url, id)).filter((task) => task.system === 'stripe' && task.revisit_at !== null);
    expect(young.length).toBeGreaterThan(0);
    for (const task of young) {
      expect(task).toMatchObject({ outcome: 'retained', confirmation: null });
      expect(task.residue).toContainEqual(expect.objectContaining({ why: 'too_young_to_redact' }));
      expect(Date.parse(task.revisit_at ?? '')).toBeGreaterThan(clock.now() + 79 * dayMs);
    }
    const firstCertificate = await certificateOf(url, id);
    expect(JSON.stringify(stripe.dump())).toContain('Ada Example');

    // Grace is over at once here, and the data key is still needed.
    clock.advance(dayMs);
    await sweep();
    const plan = await call(url, `/v1/privacy-requests/${id}/plan`);
    expect((plan.body['identifiers'] as unknown as unknown[]).length).toBeGreaterThan(0);
    expect((await call(url, `/v1/privacy-requests/${id}`)).body['status']).toBe('closed');

    clock.advance(90 * dayMs);
    for (const vendor of [stripe, bench.sandbox().twilio, bench.sandbox().segment]) vendor.advance(91 * dayMs);
    await sweep();
    await untilShredded(url, id);
    const second = await untilStatus(url, id, ['closed']);
    expect(Date.parse(String(second['closed_at']))).toBeGreaterThan(Date.parse(String(first['closed_at'])) + 90 * dayMs);
    for (const task of (await tasksOf(url, id)).filter((each) => each.system === 'stripe')) expect(task).toMatchObject({ outcome: 'anonymised', confirmation: 'verified_absent', revisit_at: null });
    expect(effectsOf(bench.sandbox())['customer.redacted']).toBe(1);
    expect(JSON.stringify(stripe.dump())).not.toContain('Ada Example');
    const secondCertificate = await certificateOf(url, id);
    expect(secondCertificate.equals(firstCertificate)).toBe(false);
    for (const each of [firstCertificate, secondCertificate]) expect(verifyCertificate(each, { keys: (await audit.keys.read()).trusted })).toMatchObject({ ok: true });
    const types = ((await call(url, `/v1/privacy-requests/${id}/timeline`)).body['items'] as unknown as { type: string }[]).map((each) => each.type);
    expect(types.filter((type) => type === 'request.closed' || type === 'request.reopened')).toEqual(['request.closed', 'request.reopened', 'request.closed']);
  });
});
