import { describe, expect, it } from 'vitest';
import { runConformance } from '../../src/connector-kit/conformance/index.ts';
import { httpConnector } from '../../src/connectors/http/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { startHubspot } from '../../src/sandbox/hubspot/index.ts';
import { useDeclared } from '../support/declared-bench.ts';

const config = (url: string, token = 'pat-sandbox'): object => ({ use: 'hubspot', token, base_url: url, allow_private_network: true, external_id_property: 'customer_no' });
const email: Identifier = { kind: 'email', value: 'ada@example.com' };
const phone: Identifier = { kind: 'phone', value: '+12025550123' };
const externalId: Identifier = { kind: 'external_id', value: 'C-4711' };
const ada = { id: '501', properties: { email: 'ada@example.com', phone: '+12025550123', customer_no: 'C-4711', firstname: 'Ada', lastname: 'Example' } };
const bystander = { id: '502', properties: { email: 'bo@example.com', firstname: 'Bo' } };
const account = { requests_per_ten_seconds: 100_000, searches_per_second: 100_000 };
interface Dump {
  readonly contacts: readonly { readonly id: string; readonly properties: Readonly<Record<string, string>> }[];
  readonly blocklist: readonly string[];
}

runConformance({
  title: 'ready declaration hubspot',
  connector: httpConnector,
  start: startHubspot,
  config: (url) => config(url),
  refusedConfig: (url) => config(url, 'revoked'),
  plant: (vendor) => {
    vendor.seed({ account, contacts: [ada, bystander] });
    return { identifier: email, identifiers: [email, phone, externalId], personal: ['ada@example.com', '2025550123', 'C-4711', 'Ada'] };
  },
  plantMany: (vendor) => {
    vendor.seed({ account, contacts: [bystander, ...Array.from({ length: 250 }, (_, index) => ({ ...ada, id: String(1000 + index) }))] });
    return { identifier: email, identifiers: [email, phone, externalId], personal: ['ada@example.com'] };
  },
  left: (vendor) => (vendor.dump() as Dump).contacts.filter(({ properties }) => properties['email'] === email.value).length,
  unknown: [
    { kind: 'email', value: 'nobody@elsewhere.example' },
    { kind: 'phone', value: '+12025550199' },
    { kind: 'external_id', value: 'C-0' },
  ],
  outcome: 'erased',
  lie: { method: 'POST', path: 'gdpr-delete$' },
});

const { vendor, connect, task, run, confirm, effects, calls } = useDeclared(startHubspot, (url) => config(url));
const dee: Identifier = { kind: 'email', value: 'dee@example.com' };
const dump = (): Dump => vendor().dump() as Dump;

/** Everything that the records of the person carry was resolved. */
const adaTask = (identifier: Identifier, options: Parameters<typeof task>[1] = {}): ReturnType<typeof task> => task(identifier, { identifiers: [email, phone, externalId], ...options });

describe('HubSpot by its ready declaration', () => {
  it('never asks for a deletion of somebody whom it did not find, so that no stranger’s address gets on the blocklist', async () => {
    const test = task({ kind: 'email', value: 'stranger@example.com' }, { seenHere: false });
    expect((await run(test)).result).toMatchObject({ state: 'done', outcome: 'nothing_matched', residue: [] });
    expect(calls().some((each) => each.includes('gdpr-delete'))).toBe(false);
    expect(dump().blocklist).toEqual([]);
  });

  it('goes to a person before anything is deleted where two people share a number', async () => {
    vendor().seed({ account, contacts: [ada, { id: '505', properties: { email: 'eve@example.com', phone: '+12025550123' } }] });
    // The other's address is known by then, as a doubtful one: the look-up of the number had found it.
    const identifiers = [email, phone, externalId, { kind: 'email', value: 'eve@example.com' }] as const;
    expect((await run(task(phone, { identifiers }))).result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS', counts: {} });
    expect(effects()).toEqual([]);
    expect((await run(adaTask(email))).result, 'her address is hers alone').toMatchObject({ outcome: 'erased', counts: { contacts: 1 } });
    expect(dump().contacts.map(({ id }) => id)).toEqual(['505']);
  });

  it('leaves everybody alone who only shares a word of the address, and finds the person by an additional address', async () => {
    vendor().seed({ account, contacts: [ada, bystander, { id: '503', properties: { email: 'cy@work.example', hs_additional_emails: 'cy@example.com;ada.example@example.com' } }, { id: '504', properties: { email: 'dee@work.example', hs_additional_emails: 'dee@old.example;dee@example.com' } }] });
    expect((await run(task(dee, { identifiers: [dee, { kind: 'email', value: 'dee@work.example' }] }))).result).toMatchObject({ outcome: 'erased', counts: { contacts: 1 } });
    expect((await run(adaTask(email, { taskId: 'ada' }))).result).toMatchObject({ outcome: 'erased', counts: { contacts: 1 } });
    expect(dump().contacts.map(({ id }) => id)).toEqual(['502', '503']);
  });

  it('says what stays: the purge that is still to come, the blocklist, and activities on other records', async () => {
    vendor().seed({ account, contacts: [ada] });
    const { result } = await run(adaTask(email));
    expect(result).toMatchObject({ outcome: 'erased', residue: [{ what: 'purge_pending', until: expect.any(String) as string }, { what: 'blocklist_entry', why: 'prevents_new_collection' }, { what: 'activities_of_other_records', why: 'belongs_to_others' }] });
  });

  it('waits for a search index that still shows what is gone', async () => {
    vendor().seed({ account: { ...account, search_lag_ms: 60_000 }, contacts: [ada] });
    const test = adaTask(email);
    const erased = await run(test);
    expect(await connect().confirm(test.step({ cursor: erased.cursor, attempt: 1 }))).toMatchObject({ state: 'later' });
    expect(await confirm(test, erased)).toEqual({ state: 'absent' });
  });

  it('waits out the search limit, a 429 without Retry-After', async () => {
    vendor().seed({ account: { requests_per_ten_seconds: 1000, searches_per_second: 4 }, contacts: [ada] });
    const other = { method: 'POST' as const, url: '/crm/v3/objects/contacts/search', headers: { authorization: 'Bearer other' }, payload: {} };
    for (let index = 0; index < 4; index += 1) await vendor().app.inject(other);
    const { result, failures } = await run(adaTask(email));
    expect([failures.map(({ code }) => code), result]).toMatchObject([['VENDOR_RATE_LIMITED'], { outcome: 'erased' }]);
  });

  it('goes to a person with a token that may not write, having changed nothing', async () => {
    vendor().seed({ account, contacts: [ada] });
    await expect(run(adaTask(email), connect({ token: 'readonly' }))).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
    expect(effects()).toEqual([]);
  });

  it('says nothing of a contact in the recycle bin, which no search shows', async () => {
    vendor().seed({ account, contacts: [{ ...ada, archived: true }] });
    expect((await run(adaTask(email))).result).toMatchObject({ outcome: 'already_absent' });
    expect(dump().contacts, 'a limit of the vendor’s search, told in the guide').toHaveLength(1);
  });
});
