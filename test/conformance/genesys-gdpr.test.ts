import { describe, expect, it } from 'vitest';
import type { TestContext } from '../../src/connector-kit/conformance/index.ts';
import type { Connection, Json } from '../../src/connector-kit/index.ts';
import { urlOf } from '../support/segment-bench.ts';
import { ada, adaIdentifiers, adaSubject, useGenesys } from '../support/genesys-bench.ts';

const { vendor, dump, connect, task, plant, run } = useGenesys();

const gdpr = (rest: object = {}): Connection => connect({ api: 'gdpr', ...rest });
const retried = (test: TestContext, previous: Json): TestContext => ({ ...test, step: (step) => ({ ...test.step(step), previous: JSON.parse(JSON.stringify(previous)) as Json }) });
const employee = { userId: 'user-1', name: 'Ada Example', phoneNumbers: ['+12025550123'] };

describe('erasing by the GDPR API', () => {
  it('takes days, confirms every deletion, and costs few of the 300 calls a minute', async () => {
    plant({ subjects: [{ subject: adaSubject }] });
    const test = task();
    const { result, results, cursor, failures } = await run(gdpr(), test);
    expect(result).toMatchObject({ state: 'done', outcome: 'erased', counts: { subjects: 1, requests_completed: 1 }, residue: [{ what: 'analytics_aggregates', why: 'no_refresh_at_vendor' }], proof: { api: 'gdpr', adopted: false } });
    expect(dump().requests).toMatchObject([{ deleteConfirmed: true, status: 'COMPLETED' }]);
    expect(results.reduce((sum, each) => sum + (each.state === 'wait' ? each.afterMs : 0), 0)).toBeGreaterThan(172_000_000);
    expect(vendor().calls.length).toBeLessThan(100);
    expect(failures).toEqual([]);
    expect(await gdpr().confirm(test.step({ cursor, attempt: 1 }))).toEqual({ state: 'absent' });
  });

  it('finds a person under a variant of the external id, and asks once for each distinct subject', async () => {
    const dialer = { dialerContactId: { id: 'd1', contactListId: 'list' }, externalId: 'legacy:ada-4711' };
    plant({ subjects: [{ subject: adaSubject }, { subject: dialer }] });
    const variants = [{ of: 'external_id', prefix: 'legacy:', case: 'lower' }];
    expect((await run(gdpr({ variants }), task())).result).toMatchObject({ outcome: 'erased', counts: { subjects: 2 } });
    expect(dump().subjects).toEqual([]);
    expect(dump().requests).toHaveLength(2);
  });

  it('leaves out a subject whose names are all another one’s', async () => {
    plant({ subjects: [{ subject: adaSubject }, { subject: { externalContactId: 'contact-1', phoneNumbers: ['+12025550123'] } }] });
    await run(gdpr(), task({ identifier: ada.phone }));
    expect(dump().requests).toHaveLength(1);
    expect(dump().subjects).toEqual([]);
  });

  it.each([
    ['one of the organisation’s own users', employee],
    ['somebody who has an address that was not resolved', { externalContactId: 'contact-9', phoneNumbers: ['+12025550123'], emailAddresses: ['bob@example.com'] }],
    ['somebody who has another external id', { externalId: 'CRM-BOB', phoneNumbers: ['+12025550123'] }],
    ['somebody else whose address is known as well', { externalContactId: 'contact-9', phoneNumbers: ['+12025550123'], emailAddresses: ['grace@example.com'] }],
    ['somebody of another name', { externalContactId: 'contact-9', name: 'Bob Example', phoneNumbers: ['+12025550123'] }],
  ])('deletes nothing where a number leads to %s too, and asks a person', async (_name, other) => {
    plant({ subjects: [{ subject: adaSubject }, { subject: other }] });
    const identifiers = [...adaIdentifiers, { kind: 'email', value: 'grace@example.com' } as const];
    const { result } = await run(gdpr(), task({ identifier: ada.phone, identifiers }));
    expect(result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS', counts: { subjects: 2 } });
    expect(vendor().effects).toEqual([]);
  });

  it('deletes two records under one number where an address makes them one person’s', async () => {
    plant({ subjects: [{ subject: adaSubject }, { subject: { journeyCustomer: { type: 'cookie', id: 'j1' }, name: 'A. Example', phoneNumbers: ['+12025550123'], emailAddresses: ['ada@example.com'] } }] });
    expect((await run(gdpr(), task({ identifier: ada.phone }))).result).toMatchObject({ outcome: 'erased', counts: { subjects: 2 } });
    expect(dump().subjects).toEqual([]);
  });

  it('starts anew where what an earlier turn left is the other API’s', async () => {
    plant({ subjects: [{ subject: adaSubject }], contacts: [{ external_id: 'CRM-ADA-4711', records: { sms: 1 } }] });
    const byForm = await run(connect(), task({ taskId: 'form' }));
    const byGdpr = await run(gdpr(), retried(task(), byForm.cursor));
    expect(byGdpr.result).toMatchObject({ outcome: 'erased', counts: { subjects: 1 } });
    expect((await run(connect(), retried(task({ taskId: 'form' }), byGdpr.cursor))).result).toMatchObject({ state: 'done', counts: { jobs: 1 } });
  });

  it('goes to a person at ERROR, for which there is no reason, and a retry makes a new request', async () => {
    plant({ subjects: [{ subject: adaSubject, ends: 'ERROR' }] });
    const test = task();
    const bad = await run(gdpr(), test);
    expect(bad.result).toMatchObject({ state: 'operator', code: 'VENDOR_JOB_FAILED', counts: { subjects: 1, requests_completed: 0 } });
    const again = await run(gdpr(), retried(test, bad.cursor));
    expect(again.result).toMatchObject({ state: 'operator' });
    expect(dump().requests).toHaveLength(2);
  });

  it('adopts the request whose creation was not answered', async () => {
    plant({ subjects: [{ subject: adaSubject }] });
    vendor().fault({ kind: 'lost', method: 'POST', path: '^/api/v2/gdpr' });
    expect((await run(gdpr(), task())).result).toMatchObject({ outcome: 'erased', proof: { adopted: true } });
    expect(dump().requests).toHaveLength(1);
  });

  it('gives a request half a minute to appear before it makes another', async () => {
    plant({ subjects: [{ subject: adaSubject }] });
    vendor().fault({ kind: 'status', status: 503, method: 'POST', path: '^/api/v2/gdpr' });
    const { result, results } = await run(gdpr(), task());
    expect(result).toMatchObject({ outcome: 'erased' });
    expect(results[0]).toMatchObject({ state: 'wait', afterMs: 30_000, reason: 'not_visible_yet' });
    expect(dump().requests).toHaveLength(1);
  });

  it('gives each further request the same half minute, and none to one that was refused outright', async () => {
    plant({ subjects: [{ subject: adaSubject }] });
    vendor().fault({ kind: 'status', status: 503, method: 'POST', path: '^/api/v2/gdpr', times: 2 });
    vendor().fault({ kind: 'status', status: 429, method: 'POST', path: '^/api/v2/gdpr' });
    const { results, failures } = await run(gdpr(), task());
    expect(failures.map(({ code }) => code)).toEqual(['VENDOR_UNAVAILABLE', 'VENDOR_UNAVAILABLE', 'VENDOR_RATE_LIMITED']);
    expect(results.filter((each) => each.state === 'wait' && each.reason === 'not_visible_yet')).toHaveLength(2);
  });

  it('follows the request that the task of another identifier made, found over all pages', async () => {
    plant({ subjects: [{ subject: adaSubject }, ...Array.from({ length: 120 }, (_, index) => ({ subject: { externalContactId: `other-${index}`, emailAddresses: [`person-${index}@example.com`] } }))] });
    const connection = gdpr();
    await connection.erase(task().step({ cursor: null, attempt: 1 }));
    for (let index = 0; index < 120; index += 1) {
      const email = { kind: 'email', value: `person-${index}@example.com` } as const;
      await connection.erase(task({ identifier: email, identifiers: [email], taskId: `other-${index}` }).step({ cursor: null, attempt: 1 })).catch(() => vendor().advance(61_000));
      if (index % 50 === 49) vendor().advance(61_000);
    }
    vendor().advance(61_000);
    const made = dump().requests.length;
    const { result } = await run(connection, task({ identifier: ada.email, taskId: 'email' }));
    expect(result).toMatchObject({ outcome: 'erased', proof: { adopted: true } });
    expect(made).toBeGreaterThan(100);
    expect(dump().requests).toHaveLength(made);
  });

  it('does not take an older request for its own', async () => {
    plant({ subjects: [{ subject: adaSubject }] });
    await gdpr().erase(task({ taskId: 'long ago' }).step({ cursor: null, attempt: 1 }));
    const later = Date.now() + 3_600_000;
    vendor().advance(3_600_000);
    await gdpr().erase(task({ now: () => later }).step({ cursor: null, attempt: 1 }));
    expect(dump().requests).toHaveLength(2);
  });
});

describe('reading back by the GDPR API', () => {
  it('gives the index an hour, and then says who is still there', async () => {
    plant({ subjects: [{ subject: adaSubject }] });
    vendor().fault({ kind: 'lie', method: 'POST', path: '^/api/v2/gdpr/requests' });
    const start = Date.now();
    const test = task({ now: () => start });
    const { cursor } = await run(gdpr(), test);
    const waits: number[] = [];
    for (;;) {
      const seen = await gdpr().confirm(test.step({ cursor, attempt: 1 }));
      if (seen.state !== 'later') {
        expect(seen).toEqual({ state: 'present', found: [ada.externalId, ada.email, ada.phone] });
        break;
      }
      waits.push(seen.afterMs);
      test.advance(seen.afterMs);
    }
    expect(waits.reduce((sum, each) => sum + each, 0)).toBe(3_600_000);
    // The request that lied had its turn: a person's retry makes another.
    const again = await run(gdpr(), retried(test, cursor));
    expect(again.result).toMatchObject({ outcome: 'erased', proof: { adopted: false } });
    expect(dump().subjects).toEqual([]);
  });
});

describe('looking a person up by the GDPR API', () => {
  it('hands on what the one subject holds, in normal form, and not what is known in Genesys’ own writing', async () => {
    plant({ subjects: [{ subject: { ...adaSubject, phoneNumbers: ['+1 202-555-0123', '5550123'], emailAddresses: ['Ada@Example.com', 'unknown'] } }] });
    const { found, knows } = await gdpr().locate(task().plain, [ada.externalId]);
    expect(knows).toEqual([ada.externalId]);
    expect(found).toEqual([ada.email, ada.phone].map((identifier) => ({ identifier, via: ada.externalId, confidence: 1 })));
  });

  it('doubts what several subjects under one number hold, and hands on nothing of an employee’s', async () => {
    plant({ subjects: [{ subject: adaSubject }, { subject: { ...employee, emailAddresses: ['ada.at.work@example.com'] } }] });
    const { found, knows } = await gdpr().locate(task().plain, [ada.phone]);
    expect(knows).toEqual([ada.phone]);
    expect(found.map(({ identifier, confidence }) => [identifier.value, confidence])).toEqual([
      ['CRM-ADA-4711', 0.5],
      ['ada@example.com', 0.5],
    ]);
  });

  it('is sure of what one identifier proves, whatever another leaves in doubt', async () => {
    plant({ subjects: [{ subject: adaSubject }, { subject: { externalContactId: 'contact-9', phoneNumbers: ['+12025550123'] } }] });
    for (const known of [[ada.externalId, ada.phone], [ada.phone, ada.externalId]]) {
      expect((await gdpr().locate(task().plain, known)).found).toEqual([{ identifier: ada.email, via: ada.externalId, confidence: 1 }]);
    }
  });

  it('stops where more are found than are shown', async () => {
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => (init?.method === 'GET' ? Response.json({ entities: [adaSubject], total: 2 }) : guarded(input, init));
    await expect(gdpr().locate(task({ wrapFetch }).plain, [ada.phone])).rejects.toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
  });
});

describe('a list of requests that does not end', () => {
  const endless = async (request: (page: number, at: number) => object): Promise<{ error: unknown; lists: number }> => {
    plant({ subjects: [{ subject: adaSubject }] });
    let lists = 0;
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      const url = new URL(urlOf(input));
      if (init?.method !== 'GET' || url.pathname !== '/api/v2/gdpr/requests') return guarded(input, init);
      lists += 1;
      const page = Number(url.searchParams.get('pageNumber'));
      return Response.json({ entities: Array.from({ length: 100 }, (_, at) => ({ requestType: 'GDPR_EXPORT', createdDate: '2020-01-01T00:00:00Z', status: 'COMPLETED', subject: {}, ...request(page, at) })) });
    };
    const test = task({ wrapFetch, shouldYield: () => lists % 50 === 0 });
    let cursor: Json = null;
    for (let at = 0; at < 100; at += 1) {
      const result: unknown = await gdpr().erase(test.step({ cursor, attempt: 1 })).catch((error: unknown) => error);
      if (result instanceof Error) return { error: result, lists };
      cursor = (result as { cursor: Json }).cursor;
    }
    return { error: undefined, lists };
  };

  it('is VENDOR_MALFORMED, and nothing was asked to be deleted', async () => {
    expect(await endless(() => ({ id: 'same' }))).toMatchObject({ error: { code: 'VENDOR_MALFORMED' }, lists: 2 });
    expect(await endless((page, at) => ({ id: `${page}-${at}` }))).toMatchObject({ error: { code: 'VENDOR_MALFORMED' }, lists: 2000 });
    expect(vendor().effects).toEqual([]);
  });
});

describe('edge case: missing scope of the GDPR API', () => {
  it('is told by its name at the start', async () => {
    plant({ account: { scopes: ['pii:delete'] } });
    await expect(gdpr().check(task().plain)).rejects.toMatchObject({ code: 'CONNECTION_REFUSED', detail: expect.stringContaining('lacks the scope gdpr') as string });
    plant({ account: { scopes: ['gdpr'] } });
    await expect(gdpr().check(task().plain)).resolves.toBeUndefined();
  });
});

describe('the two APIs', () => {
  it('promise what each can do, and no more', () => {
    const connection = gdpr();
    expect([connection.refresh, connection.readCallback]).toEqual([undefined, undefined]);
    expect(connect().readCallback).toBeUndefined();
    expect(connect({ callback_secret: 'a secret of the callbacks' }).readCallback).toBeTypeOf('function');
  });
});
