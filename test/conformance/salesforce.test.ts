import { describe, expect, it } from 'vitest';
import { runConformance, type ConformancePerson } from '../../src/connector-kit/conformance/index.ts';
import { httpConnector } from '../../src/connectors/http/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { startSalesforce } from '../../src/sandbox/salesforce/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';
import { useDeclared } from '../support/declared-bench.ts';

const config = (url: string, rest: object = {}): object => ({ use: 'salesforce', base_url: url, client_id: 'client', client_secret: 'secret', external_id_field: 'Customer_No__c', allow_private_network: true, ...rest });
const email: Identifier = { kind: 'email', value: 'ada@example.com' };
const phone: Identifier = { kind: 'phone', value: '+12025550123' };
const externalId: Identifier = { kind: 'external_id', value: 'C-4711' };
const contactId = '003000000000471AAA';
const ada = { Email: 'ada@example.com', Phone: '+12025550123', Customer_No__c: 'C-4711', FirstName: 'Ada', LastName: 'Example' };
const contact = { object: 'Contact' as const, Id: contactId, fields: ada };
const ownCase = { object: 'Case' as const, fields: { ContactId: contactId, Subject: 'Where is it?' } };
const webCase = { object: 'Case' as const, fields: { SuppliedEmail: 'ada@example.com', Subject: 'From the form' } };
const lead = { object: 'Lead' as const, fields: { ...ada, Company: 'Example' } };
const bystander = { object: 'Contact' as const, fields: { Email: 'bo@example.com', LastName: 'Bystander' } };
interface Dump {
  readonly records: readonly { readonly id: string; readonly object: string; readonly deletedAtMs?: number; readonly fields: Readonly<Record<string, unknown>> }[];
}
const liveOf = (dump: Dump): readonly string[] => dump.records.filter((each) => each.deletedAtMs === undefined && each.fields['LastName'] !== 'Bystander').map(({ object }) => object);

/** Each step as by a process that has just started: it knows no token yet, so that a run makes the same calls whatever ran before it. */
const freshConnector: typeof httpConnector = {
  ...httpConnector,
  connect: (declaration) => ({ ...httpConnector.connect(declaration), erase: async (context) => httpConnector.connect(declaration).erase(context) }),
};

const subject = {
  connector: freshConnector,
  start: startSalesforce,
  config: (url: string) => config(url),
  refusedConfig: (url: string) => config(url, { client_secret: 'wrong' }),
  plant: (vendor: Simulator): ConformancePerson => {
    vendor.seed({ account: { may_hard_delete: true }, records: [contact, ownCase, webCase, lead, bystander] });
    return { identifier: email, identifiers: [email, phone, externalId], personal: ['ada@example.com', '2025550123', 'C-4711', 'Where is it'] };
  },
  plantMany: (vendor: Simulator): ConformancePerson => {
    vendor.seed({ account: { query_batch_size: 20 }, records: [contact, ...Array.from({ length: 50 }, () => ownCase), ...Array.from({ length: 30 }, () => lead), bystander] });
    return { identifier: email, identifiers: [email, phone, externalId], personal: ['ada@example.com'] };
  },
  left: (vendor: Simulator) => liveOf(vendor.dump() as Dump).length,
  unknown: [
    { kind: 'email', value: 'nobody@elsewhere.example' },
    { kind: 'phone', value: '+12025550199' },
    { kind: 'external_id', value: 'C-0' },
  ] as const,
  outcome: 'erased' as const,
};

runConformance({ ...subject, title: 'ready declaration salesforce', lie: { method: 'DELETE', path: '/sobjects/(?:Contact|Lead)/' } });
const { plantMany: _onceIsEnough, ...hardSubject } = subject;
runConformance({ ...hardSubject, title: 'ready declaration salesforce, deleting for good', config: (url) => config(url, { hard_delete: true }), refusedConfig: (url) => config(url, { hard_delete: true, client_secret: 'wrong' }), lie: { method: 'POST', path: '/jobs/ingest$' } });

const { vendor, connect, task, run, confirm, effects, calls } = useDeclared(startSalesforce, (url) => config(url));
/** Everything that the records of the person carry was resolved. */
const adaTask = (identifier: Identifier, options: Parameters<typeof task>[1] = {}): ReturnType<typeof task> => task(identifier, { identifiers: [email, phone, externalId], ...options });
const dump = (): Dump => vendor().dump() as Dump;
const day = 86_400_000;

describe('Salesforce by its ready declaration', () => {
  it('deletes the cases before their contact, which Salesforce would refuse otherwise', async () => {
    vendor().seed({ records: [contact, ownCase, webCase, lead] });
    const { result } = await run(adaTask(email));
    expect(result).toMatchObject({ outcome: 'erased', counts: { cases: 2, contacts: 1, leads: 1 } });
    expect(effects()).toEqual(['Case.deleted', 'Case.deleted', 'Contact.deleted', 'Lead.deleted']);
  });

  it('reports the recycle bin as residue until its 15 days are over, and what is in it is nothing to erase once more', async () => {
    vendor().seed({ records: [contact] });
    const test = adaTask(email);
    const erased = await run(test);
    const [residue] = erased.result.state === 'done' ? erased.result.residue : [];
    expect(residue).toMatchObject({ what: 'recycle_bin', why: 'vendor_retention' });
    const untilMs = Date.parse(residue?.until ?? '');
    expect(Math.abs(untilMs - (test.plain.now() + 15 * day))).toBeLessThan(60_000);
    expect(await confirm(test, erased)).toEqual({ state: 'absent' });
    expect(dump().records[0]?.fields, 'it is still there for 15 days').toMatchObject({ Email: 'ada@example.com' });
    expect((await run(adaTask(email, { taskId: 'again' }))).result).toMatchObject({ outcome: 'already_absent', residue: [] });
    vendor().advance(16 * day);
    await run(adaTask(email, { taskId: 'later' }));
    expect(effects()).toEqual(['Contact.deleted', 'Contact.purged']);
  });

  it('finds an address with an apostrophe, and nothing can be put into a query by one', async () => {
    const brien: Identifier = { kind: 'email', value: "o'brien@example.com" };
    vendor().seed({ records: [{ object: 'Lead', fields: { Email: "o'brien@example.com" } }, bystander] });
    expect((await run(task(brien))).result).toMatchObject({ outcome: 'erased', counts: { leads: 1 } });
    const injected: Identifier = { kind: 'external_id', value: "x' OR Email = 'bo@example.com" };
    expect((await run(task(injected, { taskId: 'injected', seenHere: false }))).result).toMatchObject({ outcome: 'nothing_matched' });
    expect(effects()).toEqual(['Lead.deleted']);
  });

  it('counts a record that somebody else deleted meanwhile as absent, not as its own work', async () => {
    vendor().seed({ records: [contact, lead] });
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      if (init?.method === 'DELETE' && String(input instanceof Request ? input.url : input).includes('/Contact/')) {
        const headers = init.headers as Record<string, string>;
        await fetch(`${vendor().url}/services/data/v66.0/sobjects/Contact/${contactId}`, { method: 'DELETE', headers });
      }
      return guarded(input, init);
    };
    expect((await run(adaTask(email, { wrapFetch }))).result).toMatchObject({ outcome: 'erased', counts: { leads: 1 } });
    expect(effects()).toEqual(['Contact.deleted', 'Lead.deleted']);
  });

  it('deletes for good where it may, past the recycle bin, and leaves nothing to report', async () => {
    vendor().seed({ account: { may_hard_delete: true }, records: [contact, ownCase] });
    const { result } = await run(adaTask(email), connect({ hard_delete: true }));
    expect(result).toMatchObject({ outcome: 'erased', counts: { cases: 1, contacts: 1 }, residue: [] });
    expect(effects()).toEqual(['Case.purged', 'Contact.purged']);
  });

  it('goes to a person where it is told to delete for good and may not, and never falls back to the recycle bin unsaid', async () => {
    vendor().seed({ records: [lead] });
    await expect(run(adaTask(email), connect({ hard_delete: true }))).rejects.toMatchObject({ code: 'CONNECTION_REFUSED' });
    expect(effects()).toEqual([]);
  });

  it('goes to a person when a case that is said to be deleted still holds its contact', async () => {
    vendor().seed({ records: [contact, ownCase] });
    vendor().fault({ kind: 'lie', method: 'DELETE', path: '/sobjects/Case/' });
    await expect(run(adaTask(email))).rejects.toMatchObject({ code: 'CONNECTION_REFUSED' });
    expect(effects()).toEqual([]);
  });

  it('tries again later when the day’s calls are used up, although Salesforce says 403', async () => {
    vendor().seed({ account: { requests_per_day: 1 }, records: [lead] });
    const test = adaTask(email);
    await expect(connect().erase(test.step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE', retry: 'later' });
    vendor().seed({ account: { requests_per_day: 1000 } });
    expect((await run(test)).result).toMatchObject({ outcome: 'erased' });
  });

  it('gets a new token by itself when its session ended in the middle, and only then', async () => {
    vendor().seed({ records: [contact, ownCase, lead] });
    const connection = connect();
    expect((await connection.locate(adaTask(email).plain, [email])).knows).toEqual([email]);
    vendor().advance(7_200_000);
    expect((await run(adaTask(email), connection)).result).toMatchObject({ outcome: 'erased' });
    expect(calls().filter((each) => each.includes('/oauth2/token'))).toHaveLength(2);
  });
});
