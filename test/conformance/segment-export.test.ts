import { describe, expect, it } from 'vitest';
import type { ExportedRecord, Json } from '../../src/connector-kit/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { segmentConnector } from '../../src/connectors/segment/index.ts';
import { ada, adaExternalIds as externalIds, adaIdentifiers as all, segmentConfigFor, urlOf, useSegment } from '../support/segment-bench.ts';

const { vendor, connect, task, plant } = useSegment();
const { userId, email, phone } = ada;
const dayMs = 86_400_000;
const at = (daysAgo: number): string => new Date(Date.now() - daysAgo * dayMs).toISOString();
const events = (count: number): Record<string, unknown>[] => Array.from({ length: count }, (_, index) => ({ type: 'track', event: `Step ${index}`, timestamp: at(1) }));
const traits = Object.fromEntries(Array.from({ length: 450 }, (_, index) => [`trait_${index}`, `value ${index}`]));
const profile = { external_ids: externalIds, traits: { ...traits, plan: 'pro' }, events: [...events(230), { type: 'track', event: 'Long ago', timestamp: at(30) }], links: [{ to_collection: 'accounts', external_ids: [] }] };
const second = { external_ids: [{ type: 'email', id: 'ada.private@example.com' }], traits: { plan: 'free' } };
const privately: Identifier = { kind: 'email', value: 'ada.private@example.com' };

interface Reading {
  readonly identifier?: Identifier;
  readonly proven?: readonly Identifier[];
  readonly cursor?: Json;
  readonly resumesMax?: number;
  readonly wrapFetch?: (guarded: typeof fetch) => typeof fetch;
}
async function read({ identifier = userId, proven = all, cursor = null, resumesMax, wrapFetch }: Reading = {}): Promise<{ records: ExportedRecord[]; resume: Json; resumes: number }> {
  const test = task({ identifier, identifiers: [...all, privately], proven, ...(wrapFetch === undefined ? {} : { wrapFetch }) });
  const records: ExportedRecord[] = [];
  const seen: { resume: Json; resumes: number } = { resume: null, resumes: 0 };
  for await (const page of connect().export?.(test.exporting(cursor)) ?? []) {
    records.push(...page.records);
    if (page.resume === undefined) continue;
    Object.assign(seen, { resume: page.resume, resumes: seen.resumes + 1 });
    if (seen.resumes === resumesMax) break;
  }
  return { records, ...seen };
}
function counts(records: readonly ExportedRecord[]): Record<string, number> {
  const result: Record<string, number> = {};
  for (const { type } of records) result[type] = (result[type] ?? 0) + 1;
  return result;
}

describe('the export of a Segment profile', () => {
  it('gives external ids, metadata, every trait, the events of 14 days and the links, names what is not shown, and changes nothing', async () => {
    plant({ profiles: [profile, { external_ids: [{ type: 'user_id', id: 'bystander' }], traits: { plan: 'of somebody else' } }] });
    const { records } = await read();
    expect(counts(records)).toEqual({ profile: 1, external_id: externalIds.length, object_not_included: 1, traits: 3, event: 230, link: 1 });
    const given = Object.assign({}, ...records.filter(({ type }) => type === 'traits').map(({ data }) => data)) as object;
    expect(given).toEqual(profile.traits);
    expect(records.find(({ type }) => type === 'object_not_included')?.data).toEqual({ object: 'events_older_than_14_days', not_included: 'elsewhere' });
    for (const others of ['Long ago', 'bystander', 'of somebody else']) expect(JSON.stringify(records)).not.toContain(others);
    expect(vendor().effects).toEqual([]);
  });

  it('is asked once and gives each profile of the person once, whichever identifier it is asked by', async () => {
    plant({ profiles: [profile, second] });
    const config = segmentConnector.config.parse(segmentConfigFor(vendor().url));
    expect(segmentConnector.capabilities(config)).toMatchObject({ exportsWhole: true, exports: ['user_id', 'email', 'phone', 'anonymous_id'] });
    const whole = await read({ proven: [...all, privately] });
    expect(counts(whole.records)).toMatchObject({ profile: 2, traits: 4, event: 230 });
    for (const identifier of [email, phone, privately]) {
      const again = await read({ identifier, proven: [...all, privately] });
      expect(counts(again.records)).toEqual(counts(whole.records));
    }
  });

  it('does not read a profile under an identifier that is not proven', async () => {
    plant({ profiles: [profile, second] });
    expect(counts((await read()).records)).toMatchObject({ profile: 1 });
  });

  it('gives nothing where a profile under the person’s address also has a user id that is not theirs', async () => {
    plant({ profiles: [{ ...profile, external_ids: [...externalIds, { type: 'user_id', id: 'somebody-else' }] }] });
    const records: ExportedRecord[] = [];
    const reading = async (): Promise<void> => {
      for await (const page of connect().export?.(task({ identifier: email, identifiers: all, proven: all }).exporting()) ?? []) records.push(...page.records);
    };
    await expect(reading()).rejects.toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
    expect(records).toEqual([]);
  });

  it('goes on from every place that it names, without leaving out or repeating anything', async () => {
    plant({ account: { profile_requests_per_second: 100_000 }, profiles: [profile, second] });
    const proven = [...all, privately];
    const whole = await read({ proven });
    expect(whole.resumes).toBeGreaterThan(8);
    for (let resumesMax = 1; resumesMax < whole.resumes; resumesMax += 1) {
      const first = await read({ proven, resumesMax });
      expect([...first.records, ...(await read({ proven, cursor: first.resume })).records]).toEqual(whole.records);
    }
  });

  it('is empty for somebody whom Segment does not know', async () => {
    plant({ profiles: [profile] });
    const nobody: Identifier = { kind: 'user_id', value: 'nobody' };
    expect((await read({ identifier: nobody, proven: [nobody] })).records).toEqual([]);
  });

  it('fails where a page fails, a 404 is not the Profile API speaking, or the profile vanishes on the way', async () => {
    plant({ account: { profile_requests_per_second: 100_000 }, profiles: [profile] });
    const answering = (answer: () => Response) => (guarded: typeof fetch): typeof fetch => async (input, init) => (urlOf(input).includes('/events') && urlOf(input).includes('next=') ? answer() : guarded(input, init));
    await expect(read({ wrapFetch: answering(() => new Response('{}', { status: 503 })) })).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
    await expect(read({ wrapFetch: answering(() => new Response('{}', { status: 429, headers: { 'retry-after': '3' } })) })).rejects.toMatchObject({ code: 'VENDOR_RATE_LIMITED', retryAfterMs: 3000 });
    await expect(read({ wrapFetch: answering(() => new Response('{"gateway":true}', { status: 404 })) })).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
    await expect(read({ wrapFetch: answering(() => Response.json({ error: { code: 'not_found' } }, { status: 404 })) })).rejects.toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
    await expect(read({ wrapFetch: answering(() => Response.json({ data: [], cursor: { has_more: true, next: '' } })) })).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
    vendor().seed({ account: { profile_requests_per_second: 2 } });
    await expect(read()).rejects.toMatchObject({ code: 'VENDOR_RATE_LIMITED' });
  });

  it('is not offered in the literal identify form, and a correction never is', () => {
    expect(connect().export).toBeDefined();
    expect(connect({}, { form: 'identify' }).export).toBeUndefined();
    expect(segmentConnector.capabilities(segmentConnector.config.parse(segmentConfigFor(vendor().url, {}, { form: 'identify' })))).not.toHaveProperty('exports');
    expect(connect().rectify).toBeUndefined();
  });
});
