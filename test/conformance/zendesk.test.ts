import { describe, expect, it } from 'vitest';
import { runConformance } from '../../src/connector-kit/conformance/index.ts';
import { httpConnector } from '../../src/connectors/http/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { startZendesk } from '../../src/sandbox/zendesk/index.ts';
import { useDeclared } from '../support/declared-bench.ts';

const config = (url: string, rest: object = {}): object => ({ use: 'zendesk', base_url: url, agent_email: 'agent@example.com', api_token: 'api-token', allow_private_network: true, ...rest });
const email: Identifier = { kind: 'email', value: 'ada@example.com' };
const phone: Identifier = { kind: 'phone', value: '+12025550123' };
const externalId: Identifier = { kind: 'external_id', value: 'C-4711' };
const ada = { id: 11, name: 'Ada Example', email: 'ada@example.com', phone: '+12025550123', external_id: 'C-4711' };
const bo = { id: 12, name: 'Bo', email: 'bo@example.com' };
const account = { requests_per_minute: 100_000, permanent_deletions_per_ten_minutes: 10_000 };
interface Dump {
  readonly users: readonly { readonly id: number; readonly name: string; readonly email: string | null; readonly external_id: string | null }[];
  readonly tickets: readonly { readonly requesterId: number }[];
}
const dump = (vendor: { dump: () => unknown }): Dump => vendor.dump() as Dump;

runConformance({
  title: 'ready declaration zendesk',
  connector: httpConnector,
  start: startZendesk,
  config: (url) => config(url),
  refusedConfig: (url) => config(url, { api_token: 'revoked' }),
  plant: (vendor) => {
    vendor.seed({ account, users: [ada, bo], tickets: [{ requester: 'ada@example.com', subject: 'Order', status: 'open' }, { requester: 'bo@example.com', subject: 'Other', status: 'open' }] });
    return { identifier: email, identifiers: [email, phone, externalId], personal: ['ada@example.com', '2025550123', 'C-4711', 'Ada'] };
  },
  plantMany: (vendor) => {
    vendor.seed({ account: { ...account, page_size: 2 }, users: [bo, ...Array.from({ length: 5 }, (_, index) => ({ ...ada, id: 100 + index }))] });
    return { identifier: externalId, identifiers: [email, phone, externalId], personal: ['ada@example.com'] };
  },
  left: (vendor) => dump(vendor).users.filter((each) => each.external_id === 'C-4711').length + dump(vendor).tickets.filter((each) => each.requesterId === 11).length,
  unknown: [
    { kind: 'email', value: 'nobody@elsewhere.example' },
    { kind: 'phone', value: '+12025550199' },
    { kind: 'external_id', value: 'C-0' },
  ],
  outcome: 'erased',
  lie: { method: 'DELETE', path: '/users/' },
});

const { vendor, connect, task, run, confirm, effects, calls } = useDeclared(startZendesk, (url) => config(url));

/** Everything that the records of the person carry was resolved. */
const adaTask = (identifier: Identifier, options: Parameters<typeof task>[1] = {}): ReturnType<typeof task> => task(identifier, { identifiers: [email, phone, externalId], ...options });

describe('Zendesk by its ready declaration', () => {
  it('deletes softly, then for good, and is done only when Zendesk Support says so', async () => {
    vendor().seed({ account, users: [ada] });
    const { result, results } = await run(adaTask(email));
    expect(result).toMatchObject({ outcome: 'erased', counts: { users: 1 } });
    expect(results.filter(({ state }) => state === 'wait').length).toBeGreaterThan(0);
    expect(effects()).toEqual(['user.deleted', 'user.permanently_deleted', 'user.personal_data_removed']);
    expect(dump(vendor()).users[0]).toMatchObject({ name: 'Permanently Deleted User', email: null });
  });

  it('goes on to the permanent deletion of a user whose soft one it did before its process died', async () => {
    vendor().seed({ account, users: [ada] });
    const test = adaTask(email);
    let calls_ = 0;
    const dying = adaTask(email, {
      wrapFetch: (guarded) => async (input, init) => {
        const answer = await guarded(input, init);
        if (init?.method === 'DELETE') calls_ += 1;
        if (init?.method === 'DELETE' && calls_ === 1) throw new TypeError('The connection broke');
        return answer;
      },
    });
    await expect(connect().erase(dying.step({ cursor: null, attempt: 1 }))).rejects.toThrow('The connection broke');
    expect(effects()).toEqual(['user.deleted']);
    // The user is out of the search now: only the worklist, which outlives the process, still knows the id.
    expect((await run(dying)).result).toMatchObject({ outcome: 'erased' });
    expect(effects()).toContain('user.personal_data_removed');
    expect((await run(test)).result).toMatchObject({ outcome: 'already_absent' });
  });

  it('deletes the person’s tickets for good before their requester, also one that is open', async () => {
    vendor().seed({ account, users: [ada, bo], tickets: [{ requester: 'ada@example.com', subject: 'Order', status: 'open' }, { requester: 'bo@example.com', subject: 'Other', status: 'open' }] });
    expect((await run(adaTask(email))).result).toMatchObject({ outcome: 'erased', counts: { tickets: 1, users: 1 }, residue: [{ what: 'tickets_of_others' }, { what: 'other_products' }] });
    expect(effects()).toEqual(['ticket.deleted', 'ticket.permanently_deleted', 'user.deleted', 'user.permanently_deleted', 'user.personal_data_removed']);
    expect(dump(vendor()).tickets).toMatchObject([{ requesterId: 12 }]);
  });

  it('hands a ticket that is only said to be deleted to a person, with its requester untouched', async () => {
    vendor().seed({ account, users: [ada], tickets: [{ requester: 'ada@example.com', subject: 'Order', status: 'closed' }] });
    vendor().fault({ kind: 'lie', method: 'DELETE', path: '/tickets/' });
    expect((await run(adaTask(email))).result).toMatchObject({ state: 'operator' });
    expect(effects()).toEqual([]);
  });

  it('hands the requester of a ticket that is kept and not closed to a person', async () => {
    vendor().seed({ account, users: [ada], tickets: [{ requester: 'ada@example.com', subject: 'Order', status: 'solved' }] });
    expect((await run(adaTask(email), connect({ tickets: 'keep' }))).result).toMatchObject({ state: 'operator', code: 'CONNECTION_REFUSED', counts: {} });
    expect(effects()).toEqual([]);
  });

  it('says of tickets that are kept that nobody asked for them, so that the request is fulfilled in part only', async () => {
    vendor().seed({ account, users: [ada], tickets: [{ requester: 'ada@example.com', subject: 'Order', status: 'closed' }] });
    expect((await run(adaTask(email), connect({ tickets: 'keep' }))).result).toMatchObject({ outcome: 'erased', residue: [{ what: 'tickets', why: 'not_requested' }, { what: 'tickets_of_others' }, { what: 'other_products' }] });
    expect(dump(vendor()).tickets).toHaveLength(1);
  });

  it('never ends a permanent deletion that Zendesk only says it did', async () => {
    vendor().seed({ account, users: [ada] });
    vendor().fault({ kind: 'lie', method: 'DELETE', path: '/deleted_users/', times: 9 });
    await expect(run(adaTask(email))).rejects.toThrow('The erasure did not end within 500 steps; it stands at wait');
    expect(dump(vendor()).users[0]?.email).toBe('ada@example.com');
  });

  it('deletes nobody whom Zendesk finds by an address that it does not show: a person looks, and the look-up before finds nobody', async () => {
    vendor().seed({ account, users: [{ ...bo, identities: ['ada@example.com'] }] });
    expect(await connect().locate(task(email).plain, [email])).toEqual({ found: [], knows: [] });
    expect((await run(task(email, { seenHere: false }))).result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS' });
    expect(effects()).toEqual([]);
  });

  it('waits out the limit of 700 permanent deletions in ten minutes as long as Zendesk says', async () => {
    vendor().seed({ account: { ...account, permanent_deletions_per_ten_minutes: 1 }, users: [ada, { ...ada, id: 13 }] });
    const { result, failures } = await run(adaTask(email));
    expect(failures).toMatchObject([{ code: 'VENDOR_RATE_LIMITED', retryAfterMs: 600_000 }]);
    expect(result).toMatchObject({ outcome: 'erased', counts: { users: 2 } });
  });

  it('does not take the 200 that Zendesk gives to anybody for working credentials', async () => {
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => guarded(input, { ...init, headers: {} });
    await expect(connect().check(adaTask(email, { wrapFetch }).plain)).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
    await connect().check(adaTask(email).plain);
    expect(calls()).toEqual(['GET /api/v2/users/me', 'GET /api/v2/users/me']);
  });

  it('reads back as absent when it is over', async () => {
    vendor().seed({ account, users: [ada] });
    const test = adaTask(email);
    expect(await confirm(test, await run(test))).toEqual({ state: 'absent' });
  });
});
