import { describe, expect, it } from 'vitest';
import { createTestContext, type TestContext } from '../../src/connector-kit/conformance/index.ts';
import type { Connection, EraseResult, Json, RectifyConfirmation, RectifyContext } from '../../src/connector-kit/index.ts';
import { httpConnector } from '../../src/connectors/http/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { urlOf } from '../support/segment-bench.ts';

const email: Identifier = { kind: 'email', value: 'ada@example.com' };
const user: Identifier = { kind: 'user_id', value: 'ada' };
const oldPhone = '+12025550111';
const newPhone = '+12025550199';
const phoneTo = { field: 'phone', to: newPhone };
const renaming = { field: 'email', from: 'ada@example.com', to: 'ada@example.org' };

interface Contact {
  readonly id: string;
  email: string;
  phone?: string;
  user?: string;
}

const step = { each: 'contacts', fields: { email: '$.email', phone: '$.phone' }, request: { method: 'PATCH', path: '/contacts/{{item.id}}', body: { email: '{{correction.email?}}', phone: '{{correction.phone?}}' } }, answers: [{ status: 204, is: 'success' }] };
const whole = { fields: { newsletter: '$.newsletter', phone: '$.phone' }, request: { method: 'POST', path: '/profile', body: { id: '{{identifier.value}}', newsletter: '{{correction.newsletter?}}' } }, answers: [{ status: 204, is: 'success' }] };
const look = (kind: string): object => ({ type: 'contacts', by: [kind], request: { path: '/contacts', query: { [kind]: '{{identifier.value}}' } }, items: '$.contacts', found: { user_id: '$.user' } });

interface World {
  readonly contacts: Contact[];
  readonly patched: string[];
  readonly rectify: (kept?: { cursor?: Json; previous?: Json }) => Promise<EraseResult>;
  readonly confirm: (cursor: Json) => Promise<RectifyConfirmation>;
  readonly test: TestContext;
}

/** A system of contacts that finds exactly; `dies` makes the process die after that many corrections were made. */
function world(contacts: Contact[], corrections: RectifyContext['corrections'], more: { steps?: object[]; identifier?: Identifier; dies?: number; yields?: boolean } = {}): World {
  const patched: string[] = [];
  const wrapFetch = (): typeof fetch => async (input, init) => {
    const url = new URL(urlOf(input));
    if (init?.method === undefined || init.method === 'GET') return Response.json({ contacts: contacts.filter((each) => each.email === url.searchParams.get('email') || (each.user !== undefined && each.user === url.searchParams.get('user_id'))) });
    const id = url.pathname.split('/')[2];
    const contact = contacts.find((each) => each.id === id);
    if (contact !== undefined) Object.assign(contact, JSON.parse(typeof init.body === 'string' ? init.body : '{}'));
    patched.push(url.pathname);
    if (patched.length === more.dies) throw new Error('the process died');
    return new Response(null, { status: 204 });
  };
  const identifier = more.identifier ?? email;
  const test = createTestContext({ egress: ['https://crm.example.com'], identifier, identifiers: [email, user], wrapFetch, shouldYield: () => more.yields === true });
  const connection: Connection = httpConnector.connect(
    httpConnector.config.parse({ base_url: 'https://crm.example.com', auth: { scheme: 'bearer', token: 't' }, identifiers: { email: 'email', user_id: 'user' }, locate: [look('email'), look('user_id')], erase: [{ each: 'contacts', request: { method: 'DELETE', path: '/contacts/{{item.id}}' }, answers: [{ status: 204, is: 'success' }] }], rectify: more.steps ?? [step] }),
  );
  const context = (cursor: Json, previous: Json): RectifyContext => ({ ...test.step({ cursor, attempt: 1 }), previous, corrections });
  return {
    contacts,
    patched,
    test,
    rectify: async ({ cursor = null, previous = null } = {}) => (await connection.rectify?.(context(cursor, previous))) as EraseResult,
    confirm: async (cursor) => (await connection.confirmRectified?.(context(cursor, null))) as RectifyConfirmation,
  };
}
const cursorOf = (result: EraseResult): Json => result.cursor ?? null;

describe('the records of a correction', () => {
  it('are those under the old address: a stranger’s under the new one is neither changed nor judged', async () => {
    const stranger = { id: 's', email: 'ada@example.org', phone: '+12025550122', user: 'bob' };
    const { rectify, confirm, contacts, patched } = world([{ id: 'a', email: 'ada@example.com', phone: oldPhone }, { ...stranger }], [renaming, phoneTo]);
    const result = await rectify();
    expect(result).toMatchObject({ state: 'done', outcome: 'corrected', counts: { contacts: 1 } });
    expect(contacts).toEqual([{ id: 'a', email: 'ada@example.org', phone: newPhone }, stranger]);
    expect(await confirm(cursorOf(result))).toEqual({ state: 'as_asked' });
    // A second run goes on with the same record and no other.
    expect(await rectify({ cursor: cursorOf(result) })).toMatchObject({ outcome: 'corrected', counts: { contacts: 1 } });
    expect(patched).toEqual(['/contacts/a']);
  });

  it('stay the same through a death after the first was corrected and is found by the old address no more', async () => {
    const { rectify, confirm, contacts, patched, test } = world([{ id: 'a', email: 'ada@example.com' }, { id: 'b', email: 'ada@example.com' }, { id: 's', email: 'ada@example.org' }], [renaming, phoneTo], { dies: 1 });
    await expect(rectify()).rejects.toThrow();
    const result = await rectify({ cursor: test.saved()?.cursor ?? null });
    expect(result).toMatchObject({ outcome: 'corrected' });
    expect(patched).toEqual(['/contacts/a', '/contacts/b']);
    expect(contacts.find(({ id }) => id === 's')).toEqual({ id: 's', email: 'ada@example.org' });
    expect(await confirm(cursorOf(result))).toEqual({ state: 'as_asked' });
    // One that is found by nothing any more shows nothing.
    contacts.splice(0, 1);
    expect(await confirm(cursorOf(result))).toEqual({ state: 'otherwise', fields: ['email', 'phone'] });
  });

  it('are all taken where each step has time for one only, and all are counted', async () => {
    const { rectify, patched } = world([{ id: 'a', email: 'ada@example.com' }, { id: 'b', email: 'ada@example.com' }], [renaming], { yields: true });
    let result = await rectify();
    while (result.state === 'continue') result = await rectify({ cursor: result.cursor });
    expect([result, patched]).toMatchObject([{ outcome: 'corrected', counts: { contacts: 2 } }, ['/contacts/a', '/contacts/b']]);
  });

  it('that an earlier task renamed are seen where something proven ties them to the person, and only looked at', async () => {
    const renamed = { id: 'a', email: 'ada@example.org', user: 'ada', phone: newPhone };
    const { rectify, confirm, patched } = world([renamed, { id: 's', email: 'ada@example.org', user: 'bob' }], [renaming, phoneTo]);
    const result = await rectify();
    expect(result).toMatchObject({ state: 'done', outcome: 'corrected', counts: {} });
    expect(await confirm(cursorOf(result))).toEqual({ state: 'as_asked' });
    expect(patched).toEqual([]);
    const nobody = world([{ id: 's', email: 'ada@example.org', user: 'bob' }], [renaming, phoneTo]);
    expect([await nobody.rectify(), nobody.patched]).toMatchObject([{ outcome: 'nothing_matched' }, []]);
  });

  it('that are all gone between their listing and their correction are a matter for a person', async () => {
    const { rectify, contacts, test } = world([{ id: 'a', email: 'ada@example.com' }], [renaming], { yields: true });
    await rectify();
    const { cursor } = test.saved() ?? { cursor: null };
    contacts.splice(0);
    expect(await rectify({ cursor })).toMatchObject({ state: 'operator', code: 'NOTHING_MATCHED' });
  });
});

describe('a record that holds something else than the person said', () => {
  const said = [{ ...phoneTo, from: oldPhone }];
  const mixed = (): Contact[] => [{ id: 'a', email: 'ada@example.com', phone: oldPhone }, { id: 'b', email: 'ada@example.com', phone: '+12025550122' }];

  it('takes the task to a person after the others were corrected; a retry leaves it, and claims what another shows', async () => {
    const { rectify, confirm, contacts } = world(mixed(), said);
    const asked = await rectify();
    expect(asked).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS', counts: { contacts: 1 } });
    expect(contacts.map(({ phone }) => phone)).toEqual([newPhone, '+12025550122']);
    const result = await rectify({ previous: cursorOf(asked) });
    expect(result).toMatchObject({ state: 'done', outcome: 'corrected' });
    expect(await confirm(cursorOf(result))).toEqual({ state: 'as_asked' });
    // What held the wrong value again is no such record.
    Object.assign(contacts[1] ?? {}, { phone: oldPhone });
    expect(await confirm(cursorOf(result))).toEqual({ state: 'otherwise', fields: ['phone'] });
  });

  it('is no correction where no record shows what was asked for', async () => {
    const { rectify, patched } = world(mixed().slice(1), said);
    const asked = await rectify();
    expect(asked).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS' });
    expect([await rectify({ previous: cursorOf(asked) }), patched]).toMatchObject([{ outcome: 'nothing_matched', counts: {} }, []]);
  });

  it('and was never shown to a person is not as asked', async () => {
    const { rectify, confirm, contacts } = world([{ id: 'a', email: 'ada@example.com', phone: oldPhone }], said);
    const result = await rectify();
    expect(await confirm(cursorOf(result))).toEqual({ state: 'as_asked' });
    Object.assign(contacts[0] ?? {}, { phone: '+12025550122' });
    expect(await confirm(cursorOf(result))).toEqual({ state: 'otherwise', fields: ['phone'] });
  });
});

describe('a correction that nothing can read', () => {
  it.each<[string, object[], RectifyContext['corrections']]>([
    ['of another field', [step, whole], [phoneTo, { field: 'newsletter', to: 'no' }]],
    ['of the same field elsewhere', [step, whole], [phoneTo]],
  ])('%s makes the whole confirmation the system’s word', async (_name, steps, corrections) => {
    const { rectify, confirm } = world([{ id: 'a', email: 'ada@example.com' }], corrections, { steps });
    expect(await confirm(cursorOf(await rectify()))).toEqual({ state: 'attested' });
    const read = world([{ id: 'a', email: 'ada@example.com' }], [phoneTo]);
    expect(await read.confirm(cursorOf(await read.rectify()))).toEqual({ state: 'as_asked' });
  });
});
