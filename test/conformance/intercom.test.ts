import { describe, expect, it } from 'vitest';
import { runConformance } from '../../src/connector-kit/conformance/index.ts';
import { httpConnector } from '../../src/connectors/http/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { startIntercom } from '../../src/sandbox/intercom/index.ts';
import { useDeclared } from '../support/declared-bench.ts';

const config = (url: string, token = 'token'): object => ({ use: 'intercom', token, base_url: url, allow_private_network: true });
const email: Identifier = { kind: 'email', value: 'ada@example.com' };
const phone: Identifier = { kind: 'phone', value: '+12025550123' };
const externalId: Identifier = { kind: 'external_id', value: 'C-4711' };
const ada = { id: 'c1', email: 'ada@example.com', phone: '+12025550123', external_id: 'C-4711', name: 'Ada Example' };
const bo = { id: 'c2', email: 'bo@example.com', external_id: 'C-2', name: 'Bo Bystander' };
const talk = { with: ['C-4711'], body: 'Ada asks' };
interface Dump {
  readonly contacts: readonly { readonly id: string; readonly email: string | null }[];
  readonly conversations: readonly { readonly contactIds: readonly string[]; readonly body: string }[];
}

runConformance({
  title: 'ready declaration intercom',
  connector: httpConnector,
  start: startIntercom,
  config: (url) => config(url),
  refusedConfig: (url) => config(url, 'revoked'),
  plant: (vendor) => {
    vendor.seed({ contacts: [ada, bo], conversations: [talk, talk, { with: ['C-2'], body: 'Bo asks' }] });
    return { identifier: email, identifiers: [email, phone, externalId], personal: ['ada@example.com', '2025550123', 'C-4711', 'Ada'] };
  },
  plantMany: (vendor) => {
    const leads = Array.from({ length: 110 }, (_, index) => ({ role: 'lead' as const, id: `l${index}`, email: 'ada@example.com' }));
    vendor.seed({ contacts: [ada, bo, ...leads], conversations: [...Array.from({ length: 110 }, () => talk), { with: ['C-2'], body: 'Bo asks' }] });
    return { identifier: email, identifiers: [email, phone, externalId], personal: ['ada@example.com'] };
  },
  left: (vendor) => {
    const { contacts, conversations } = vendor.dump() as Dump;
    return contacts.filter((each) => each.email === email.value).length + conversations.filter(({ body }) => body === talk.body).length;
  },
  unknown: [
    { kind: 'email', value: 'nobody@elsewhere.example' },
    { kind: 'phone', value: '+12025550199' },
    { kind: 'external_id', value: 'C-0' },
  ],
  outcome: 'erased',
  lie: { method: 'DELETE', path: '^/contacts/' },
});

const { vendor, task, run, confirm, effects, calls } = useDeclared(startIntercom, (url) => config(url));
const dump = (): Dump => vendor().dump() as Dump;

/** Everything that the records of the person carry was resolved. */
const adaTask = (identifier: Identifier, options: Parameters<typeof task>[1] = {}): ReturnType<typeof task> => task(identifier, { identifiers: [email, phone, externalId], ...options });

describe('Intercom by its ready declaration', () => {
  it('deletes the person’s own conversations before the contact, and leaves those that others are part of', async () => {
    vendor().seed({ contacts: [ada, bo], conversations: [talk, { with: ['C-2', 'C-4711'], body: 'All three' }] });
    const { result } = await run(adaTask(externalId));
    expect(result).toMatchObject({ outcome: 'erased', counts: { conversations: 1, contacts: 1 } });
    expect(effects()).toEqual(['conversation.deleted', 'contact.deleted']);
    expect(dump().conversations.map(({ body }) => body)).toEqual(['All three']);
    expect(result.state === 'done' ? result.residue.map(({ what }) => what) : []).toEqual(['deleted_contact', 'conversation_reports', 'shared_conversations']);
  });

  it('never archives, since what is archived is found no more and kept whole', async () => {
    vendor().seed({ contacts: [ada] });
    await run(adaTask(email));
    expect(calls().some((each) => each.includes('archive'))).toBe(false);
    vendor().reset();
    vendor().seed({ contacts: [{ ...ada, archived: true }] });
    expect((await run(adaTask(email, { taskId: 'archived', seenHere: false }))).result).toMatchObject({ outcome: 'nothing_matched' });
    expect(dump().contacts, 'a limit of the vendor’s search, told in the guide').toHaveLength(1);
  });

  it('finds the conversations of a person whose contact somebody deleted before', async () => {
    vendor().seed({ contacts: [ada], conversations: [talk] });
    await vendor().app.inject({ method: 'DELETE', url: '/contacts/c1', headers: { authorization: 'Bearer other' } });
    expect((await run(adaTask(email))).result).toMatchObject({ outcome: 'erased', counts: { conversations: 1 } });
    expect(effects()).toEqual(['contact.deleted', 'conversation.deleted']);
  });

  it('sees a conversation that Intercom says is deleted and is not', async () => {
    vendor().seed({ contacts: [ada], conversations: [talk] });
    vendor().fault({ kind: 'lie', method: 'DELETE', path: '^/conversations/', times: 9 });
    const test = adaTask(email);
    expect(await confirm(test, await run(test))).toEqual({ state: 'present', found: [email] });
  });

  it('goes to a person where the plan has no deletion of conversations, before the contact by which they are found is gone', async () => {
    vendor().seed({ account: { may_delete_conversations: false }, contacts: [ada], conversations: [talk] });
    await expect(run(adaTask(email))).rejects.toMatchObject({ code: 'CONNECTION_REFUSED' });
    expect(effects()).toEqual([]);
  });

  it('does not take a 404 that is not Intercom’s for a contact that is gone', async () => {
    vendor().seed({ contacts: [ada] });
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => (init?.method === 'DELETE' ? Response.json({ message: 'no route' }, { status: 404 }) : guarded(input, init));
    await expect(run(adaTask(email, { wrapFetch }))).rejects.toMatchObject({ code: 'CONNECTION_REFUSED' });
    expect(dump().contacts).toHaveLength(1);
  });
});
