import { describe, expect, it } from 'vitest';
import { createTestContext, type TestContextOptions } from '../../src/connector-kit/conformance/index.ts';
import type { Correction, EraseResult, ExportedRecord, ExportPage, Json, RectifyConfirmation, RectifyContext } from '../../src/connector-kit/index.ts';
import { genesysConnector } from '../../src/connectors/genesys/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { ada, adaIdentifiers, adaSubject, genesysConfigFor, useGenesys } from '../support/genesys-bench.ts';
import { urlOf } from '../support/segment-bench.ts';

const { vendor, connect, plant } = useGenesys();

interface Requests {
  readonly requests: readonly { readonly id: string; readonly requestType: string; readonly terms: readonly object[] }[];
  readonly subjects: readonly object[];
}
const dump = (): Requests => vendor().dump() as Requests;
const configOf = (rest: object = {}) => genesysConnector.config.parse(genesysConfigFor(vendor().url, { api: 'gdpr', ...rest }));
/** The other host to which the simulator redirects: the same port under another name. */
const archiveOrigin = (): string => `http://localhost:${vendor().port}`;
const employee = { userId: 'user-1', name: 'Ada Example', phoneNumbers: ['+12025550123'] };
const dialer = { dialerContactId: { id: 'd1', contactListId: 'list' }, emailAddresses: ['ada@example.com'] };

interface Playing {
  readonly rest?: object;
  readonly context?: Partial<TestContextOptions>;
  readonly cursor?: Json;
  /** Ends after so many kept places, as a process that dies does. */
  readonly placesMax?: number;
  /** Ends at this many waits, and gives what was kept. */
  readonly waitsMax?: number;
}
interface Played {
  readonly records: readonly ExportedRecord[];
  readonly cursor: Json;
  readonly waits: readonly NonNullable<ExportPage['wait']>[];
  readonly places: number;
}
/** Plays an export as the orchestrator does: keeps the last place, waits by moving the clocks, and goes on. */
async function play({ rest = {}, context = {}, cursor: from = null, placesMax, waitsMax }: Playing = {}): Promise<Played> {
  const config = configOf(rest);
  const test = createTestContext({ egress: genesysConnector.egress(config), identifier: ada.externalId, identifiers: adaIdentifiers, seenHere: true, ...context });
  const connection = genesysConnector.connect(config);
  const records: ExportedRecord[] = [];
  const waits: NonNullable<ExportPage['wait']>[] = [];
  let [cursor, places] = [from, 0];
  for (let steps = 0; steps < 500; steps += 1) {
    let wait: ExportPage['wait'];
    for await (const page of connection.export?.(test.exporting(JSON.parse(JSON.stringify(cursor)) as Json)) ?? []) {
      records.push(...page.records);
      ({ wait } = page);
      const place = page.resume ?? wait?.resume;
      if (place !== undefined) [cursor, places] = [place, places + 1];
      if (places === placesMax) return { records, cursor, waits, places };
      if (wait !== undefined) break;
    }
    if (wait === undefined) return { records, cursor, waits, places };
    waits.push(wait);
    if (waits.length === waitsMax) return { records, cursor, waits, places };
    test.advance(wait.afterMs);
    vendor().advance(wait.afterMs);
  }
  throw new Error('The export does not end');
}
const archives = (records: readonly ExportedRecord[]): readonly string[] =>
  records.filter(({ type }) => type === 'archive').map(({ data }) => Buffer.from((data as { base64: string }).base64, 'base64').toString('utf8'));

describe('an export by the GDPR API', () => {
  it('is asked for once for each subject, followed for days like a deletion, and gives the archives, and changes nothing', async () => {
    plant({ subjects: [{ subject: adaSubject, archives: ['calls of Ada', 'chats of Ada'] }, { subject: dialer, archives: ['campaigns of Ada'] }, { subject: { externalContactId: 'contact-2', emailAddresses: ['bob@example.com'] }, archives: ['of Bob'] }] });
    const { records, waits } = await play();
    expect(archives(records)).toEqual(['calls of Ada', 'chats of Ada', 'campaigns of Ada']);
    expect(records.filter(({ type }) => type === 'subject').map(({ data }) => data)).toEqual([adaSubject, dialer]);
    expect(records.find(({ type }) => type === 'archive')?.data).toMatchObject({ content_type: 'application/zip', filename: expect.stringMatching(/^[\w-]+-1\.zip$/u) as string });
    expect(dump().requests.map(({ requestType }) => requestType)).toEqual(['GDPR_EXPORT', 'GDPR_EXPORT']);
    expect(waits.reduce((sum, each) => sum + each.afterMs, 0)).toBeGreaterThan(172_000_000);
    expect(waits.filter(({ vendorJob }) => vendorJob !== undefined).every(({ vendorJob, reason }) => reason === 'vendor_job' && dump().requests.some(({ id }) => id === vendorJob))).toBe(true);
    expect(vendor().calls.length).toBeLessThan(150);
    expect(vendor().effects.every(({ type }) => type === 'gdpr_request.created')).toBe(true);
  });

  it('is asked for by one identifier, and searches by all that are proven', async () => {
    expect(genesysConnector.capabilities(configOf())).toMatchObject({ exportsWhole: true, exports: ['external_id', 'email', 'phone'] });
    plant({ subjects: [{ subject: adaSubject }, { subject: dialer, archives: ['campaigns'] }] });
    expect(archives((await play({ context: { identifier: ada.phone } })).records)).toEqual(['an archive', 'campaigns']);
    const private_: Identifier = { kind: 'email', value: 'private@example.com' };
    plant({ subjects: [{ subject: { externalContactId: 'contact-7', emailAddresses: [private_.value] }, archives: ['in doubt'] }] });
    expect(archives((await play({ context: { identifiers: [...adaIdentifiers, private_], proven: adaIdentifiers } })).records)).not.toContain('in doubt');
  });

  it('goes on from every place that it names, and asks Genesys for nothing twice', async () => {
    plant({ account: { requests_per_minute: 100_000, gdpr_stage_ms: 0 }, subjects: [{ subject: adaSubject, archives: ['one', 'two', 'three'] }, { subject: dialer, archives: ['four'] }] });
    const whole = await play();
    expect(archives(whole.records)).toEqual(['one', 'two', 'three', 'four']);
    for (let placesMax = 1; placesMax < whole.places; placesMax += 1) {
      // Requests of the round before are older than what this one may take for its own.
      vendor().advance(3_600_000);
      const now = Date.now() + 3_600_000 * placesMax;
      const context = { now: () => now };
      const before = dump().requests.length;
      const first = await play({ placesMax, context });
      const rest = await play({ cursor: first.cursor, context });
      expect(archives([...first.records, ...rest.records])).toEqual(['one', 'two', 'three', 'four']);
      expect(dump().requests.length - before).toBe(2);
    }
  });

  it('finds the request again whose creation was not answered', async () => {
    plant({ subjects: [{ subject: adaSubject }] });
    const { cursor } = await play({ waitsMax: 1 });
    vendor().fault({ kind: 'lost', method: 'POST', path: '^/api/v2/gdpr' });
    await expect(play({ cursor })).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
    expect(archives((await play({ cursor })).records)).toEqual(['an archive']);
    expect(dump().requests).toHaveLength(1);
  });

  it('goes to a person at ERROR and without a result, never as if nothing were held', async () => {
    plant({ account: { gdpr_stage_ms: 0 }, subjects: [{ subject: adaSubject, ends: 'ERROR' }] });
    await expect(play()).rejects.toMatchObject({ code: 'VENDOR_JOB_FAILED', retry: 'operator' });
    vendor().reset();
    plant({ account: { gdpr_stage_ms: 0 }, subjects: [{ subject: adaSubject, archives: [] }] });
    await expect(play()).rejects.toMatchObject({ code: 'VENDOR_JOB_FAILED' });
  });

  it('goes to a person where Genesys knows the request no more, once it had time to appear', async () => {
    plant({ subjects: [{ subject: adaSubject }] });
    const { cursor } = await play({ waitsMax: 2 });
    vendor().reset();
    plant({ subjects: [{ subject: adaSubject }] });
    await expect(play({ cursor })).rejects.toMatchObject({ code: 'VENDOR_JOB_FAILED' });
  });

  it('is empty where nobody is found, and asks for nothing', async () => {
    plant({ subjects: [{ subject: { externalContactId: 'contact-2', emailAddresses: ['bob@example.com'] } }] });
    expect(await play()).toMatchObject({ records: [], waits: [] });
    expect(dump().requests).toEqual([]);
  });

  it.each([
    ['one of the organisation’s own users', employee],
    ['somebody who has an address that was not resolved', { externalContactId: 'contact-9', phoneNumbers: ['+12025550123'], emailAddresses: ['bob@example.com'] }],
    ['somebody of another name', { externalContactId: 'contact-9', name: 'Bob Example', phoneNumbers: ['+12025550123'] }],
  ])('asks for nothing where a number leads to %s too', async (_name, other) => {
    plant({ subjects: [{ subject: adaSubject }, { subject: other }] });
    await expect(play()).rejects.toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
    expect(dump().requests).toEqual([]);
  });

  it('follows to an archive’s host only where that is configured, without the token, and names the archive otherwise', async () => {
    plant({ account: { archives: 'redirected', gdpr_stage_ms: 0 }, subjects: [{ subject: adaSubject, archives: ['elsewhere, then'] }] });
    const named = await play();
    expect(archives(named.records)).toEqual([]);
    expect(named.records).toContainEqual({ type: 'object_not_included', data: expect.objectContaining({ object: 'gdpr_export_archive', not_included: 'elsewhere' }) as unknown });
    expect(JSON.stringify(named.records)).not.toContain('signature');
    expect(archives((await play({ rest: { archive_origins: [archiveOrigin()] } })).records)).toEqual(['elsewhere, then']);
  });

  it('names an archive that is too large, whether its host says so or just sends it', async () => {
    const large = 'x'.repeat(9 * 1024 * 1024);
    for (const seed of [{ archives: 'redirected' }, { archives: 'own' }] as const) {
      vendor().reset();
      plant({ account: { ...seed, gdpr_stage_ms: 0 }, subjects: [{ subject: adaSubject, archives: [large, 'small'] }] });
      const { records } = await play({ rest: { archive_origins: [archiveOrigin()] } });
      expect(records).toContainEqual({ type: 'object_not_included', data: expect.objectContaining({ not_included: 'too_large' }) as unknown });
      expect(archives(records)).toEqual(['small']);
    }
  });

  it('fails where an archive cannot be had now, and where the limit is reached', async () => {
    plant({ account: { gdpr_stage_ms: 0 }, subjects: [{ subject: adaSubject }] });
    vendor().fault({ kind: 'status', status: 503, method: 'GET', path: '^/api/v2/downloads' });
    await expect(play()).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
    plant({ account: { requests_per_minute: 1 } });
    await expect(play()).rejects.toMatchObject({ code: 'VENDOR_RATE_LIMITED' });
  });

  it('is not offered by the deletion form, and neither are corrections', () => {
    expect(connect().export).toBeUndefined();
    expect(connect().rectify).toBeUndefined();
    expect(connect({ api: 'gdpr' }).export).toBeDefined();
    expect(connect({ api: 'gdpr' }).rectify).toBeDefined();
  });
});

describe('a correction by the GDPR API', () => {
  const corrections: readonly Correction[] = [
    { field: 'email', from: 'ada@example.com', to: 'ada.lovelace@example.com' },
    { field: 'phone', from: '+12025550123', to: '+12025550199' },
    { field: 'name', to: 'Ada L. Example' },
  ];
  interface Correcting {
    readonly corrections?: readonly Correction[];
    readonly context?: Partial<TestContextOptions>;
    readonly previous?: Json;
    /** Loses the result of this step, counted from 1. */
    readonly loses?: number;
  }
  interface Corrected {
    readonly result: EraseResult;
    readonly confirm: () => Promise<{ seen: RectifyConfirmation | undefined; waitedMs: number }>;
  }
  async function correct({ corrections: asked = corrections, context = {}, previous = null, loses }: Correcting = {}): Promise<Corrected> {
    const config = configOf();
    const connection = genesysConnector.connect(config);
    const test = createTestContext({ egress: genesysConnector.egress(config), identifier: ada.externalId, identifiers: adaIdentifiers, seenHere: true, ...context });
    const step = (cursor: Json): RectifyContext => {
      const { action: _action, ...each } = test.step({ cursor, attempt: 1 });
      return { ...each, previous: JSON.parse(JSON.stringify(previous)) as Json, corrections: asked };
    };
    const wait = (ms: number): void => {
      test.advance(ms);
      vendor().advance(ms);
    };
    let cursor: Json = null;
    for (let steps = 1; steps < 500; steps += 1) {
      test.clearSaved();
      const result: EraseResult | undefined = await connection.rectify?.(step(cursor));
      if (result === undefined) break;
      if (steps === loses) {
        cursor = test.saved()?.cursor ?? cursor;
        continue;
      }
      if ('cursor' in result && result.cursor !== undefined) ({ cursor } = result);
      if (result.state === 'wait') wait(result.afterMs);
      else if (result.state !== 'continue') {
        const kept = cursor;
        const confirm = async (): ReturnType<Corrected['confirm']> => {
          for (let waitedMs = 0; ; ) {
            const seen = await connection.confirmRectified?.(step(kept));
            if (seen?.state !== 'later') return { seen, waitedMs };
            wait(seen.afterMs);
            waitedMs += seen.afterMs;
          }
        };
        return { result, confirm };
      }
    }
    throw new Error('The correction does not end');
  }

  it('replaces what is wrong by one request, in Genesys’ own writing of it, and is read back', async () => {
    plant({ subjects: [{ subject: adaSubject }] });
    const { result, confirm } = await correct();
    expect(result).toMatchObject({ state: 'done', outcome: 'corrected', counts: { subjects: 1, requests_completed: 1 } });
    expect(dump().requests).toMatchObject([
      {
        requestType: 'GDPR_UPDATE',
        terms: [
          { type: 'EMAIL', existingValue: 'Ada@Example.com', updatedValue: 'ada.lovelace@example.com' },
          { type: 'PHONE', existingValue: '+1 202-555-0123', updatedValue: '+12025550199' },
          { type: 'NAME', existingValue: 'Ada Example', updatedValue: 'Ada L. Example' },
        ],
      },
    ]);
    expect(dump().subjects).toEqual([{ ...adaSubject, name: 'Ada L. Example', emailAddresses: ['ada.lovelace@example.com'], phoneNumbers: ['+12025550199'] }]);
    expect(await confirm()).toEqual({ seen: { state: 'as_asked' }, waitedMs: 0 });
  });

  it('is found done by the tasks of the person’s other identifiers, by the address as it was and as it became', async () => {
    plant({ subjects: [{ subject: adaSubject }] });
    await correct();
    for (const identifier of [ada.email, ada.phone]) {
      const { result, confirm } = await correct({ context: { identifier, taskId: identifier.kind } });
      expect(result).toMatchObject({ state: 'done', outcome: 'corrected' });
      expect(await confirm()).toMatchObject({ seen: { state: 'as_asked' } });
    }
    expect(dump().requests).toHaveLength(1);
  });

  it('adopts the request whose creation was not answered, and makes another for other words', async () => {
    plant({ subjects: [{ subject: adaSubject }] });
    vendor().fault({ kind: 'lost', method: 'POST', path: '^/api/v2/gdpr' });
    const first: readonly Correction[] = [{ field: 'name', to: 'Ada L. Example' }];
    await expect(correct({ corrections: first })).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
    expect((await correct({ corrections: first })).result).toMatchObject({ outcome: 'corrected', proof: { adopted: true } });
    expect(dump().requests).toHaveLength(1);
    expect((await correct({ corrections: [{ field: 'name', to: 'A. Example' }] })).result).toMatchObject({ outcome: 'corrected', proof: { adopted: false } });
    expect(dump().requests).toHaveLength(2);
  });

  it('makes no second request when the process dies after the first', async () => {
    plant({ subjects: [{ subject: adaSubject }] });
    expect((await correct({ loses: 1 })).result).toMatchObject({ outcome: 'corrected' });
    expect(dump().requests).toHaveLength(1);
  });

  it('leaves what is something else than the person said to a person, and a retry leaves it', async () => {
    plant({ subjects: [{ subject: { ...adaSubject, addresses: ['1 Old Road', '9 Far Street'] } }] });
    const doubted: readonly Correction[] = [{ field: 'email', from: 'nobody@example.com', to: 'new@example.com' }, { field: 'address', to: '2 New Road' }, { field: 'name', from: 'ada example', to: 'Ada L. Example' }];
    const first = await correct({ corrections: doubted });
    expect(first.result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS' });
    expect(JSON.stringify({ ...first.result, cursor: null })).not.toMatch(/ada|road|new@/iu);
    expect(dump().subjects).toMatchObject([{ name: 'Ada L. Example', emailAddresses: ['Ada@Example.com'], addresses: ['1 Old Road', '9 Far Street'] }]);
    const previous = 'cursor' in first.result ? (first.result.cursor ?? null) : null;
    const again = await correct({ corrections: doubted, previous });
    expect(again.result).toMatchObject({ state: 'done', outcome: 'corrected' });
    expect(await again.confirm()).toMatchObject({ seen: { state: 'as_asked' } });
  });

  it('is seen not to have been made where Genesys says that it was, after the index had its hour', async () => {
    plant({ subjects: [{ subject: adaSubject }] });
    vendor().fault({ kind: 'lie', method: 'POST', path: '^/api/v2/gdpr/requests' });
    const { result, confirm } = await correct();
    expect(result).toMatchObject({ state: 'done' });
    const { seen, waitedMs } = await confirm();
    expect(seen).toEqual({ state: 'otherwise', fields: ['email', 'name', 'phone'] });
    expect(waitedMs).toBeGreaterThan(3_590_000);
    expect(waitedMs).toBeLessThanOrEqual(3_600_000);
  });

  it('goes to a person at ERROR, for a field that Genesys replaces nothing of, and where a subject may be another’s', async () => {
    plant({ subjects: [{ subject: adaSubject, ends: 'ERROR' }] });
    expect((await correct()).result).toMatchObject({ state: 'operator', code: 'VENDOR_JOB_FAILED' });
    expect((await correct({ corrections: [{ field: 'birthday', to: '1815-12-10' }] })).result).toMatchObject({ state: 'operator', code: 'UNSUPPORTED' });
    const made = dump().requests.length;
    plant({ subjects: [{ subject: employee }] });
    expect((await correct({ context: { identifier: ada.phone } })).result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS' });
    expect(dump().requests).toHaveLength(made);
  });

  it('matches nothing where nobody is found', async () => {
    expect((await correct()).result).toMatchObject({ state: 'done', outcome: 'nothing_matched' });
  });

  it('asks by the address of every call for nothing but what the platform has', async () => {
    plant({ subjects: [{ subject: adaSubject }] });
    const paths = new Set<string>();
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      paths.add(`${init?.method ?? 'GET'} ${new URL(urlOf(input)).pathname.replace(/[\da-f-]{36}/u, '*')}`);
      return guarded(input, init);
    };
    await correct({ context: { wrapFetch } });
    expect([...paths].toSorted()).toEqual(['GET /api/v2/gdpr/requests', 'GET /api/v2/gdpr/requests/*', 'GET /api/v2/gdpr/subjects', 'POST /api/v2/gdpr/requests', 'POST /oauth/token']);
  });
});
