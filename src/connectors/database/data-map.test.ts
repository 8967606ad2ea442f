import { describe, expect, it } from 'vitest';
import { checkSchema } from './check-schema.ts';
import { databaseConfigSchema, databaseShape } from './config.ts';
import { readDataMap, type FindingCode } from './data-map.ts';
import type { LiveColumn, LiveForeignKey, LiveSchema } from './live-schema.ts';

interface Given {
  readonly tables?: Readonly<Record<string, unknown>>;
  readonly subject?: unknown;
  readonly rest?: Readonly<Record<string, unknown>>;
}

const users = { key: ['id'], columns: { email: { mask: 'deleted-{partial_id}@example.com' } } };
const given = ({ tables = { users }, subject = { table: 'users', key: 'id', identifiers: { email: 'email', user_id: 'id' } }, rest = {} }: Given = {}): unknown => ({ url: 'postgres://app@db.example.com/app', subject, tables, ...rest });
const codes = (what: Given): FindingCode[] => readDataMap(databaseShape.parse(given(what))).findings.map(({ code }) => code);
const orders = { key: ['id'], link: { user_id: 'users.id' }, erase: 'delete' };

describe('a data map', () => {
  it('with a key, a plan and a link for every table has nothing to refuse', () => {
    expect(codes({ tables: { users, orders } })).toEqual([]);
    expect(databaseConfigSchema.safeParse(given({ tables: { users, orders } })).success).toBe(true);
  });

  const refused: readonly (readonly [FindingCode, Given])[] = [
    ['table-without-key', { tables: { users, orders: { ...orders, key: undefined } } }],
    ['table-without-plan', { tables: { users, orders: { key: ['id'], link: { user_id: 'users.id' } } } }],
    ['table-without-plan', { tables: { users, orders: { ...orders, columns: {} } } }],
    ['table-without-link', { tables: { users, orders: { key: ['id'], erase: 'delete' } } }],
    ['table-unknown', { tables: { orders: { ...orders, link: { user_id: 'orders2.id' } } } }],
    ['link-unknown', { tables: { users, orders: { ...orders, link: { user_id: 'people.id' } } } }],
    ['link-unknown', { tables: { users, orders, notes: { ...orders, link: { user_id: 'users.id', order_id: 'orders.id' } } } }],
    ['cycle', { tables: { users, a: { key: ['id'], link: { b_id: 'b.id' }, erase: 'delete' }, b: { key: ['id'], link: { a_id: 'a.id' }, erase: 'delete' } } }],
    ['cycle', { tables: { users, orders: { ...orders, link: [{ user_id: 'users.id' }, { parent: 'orders.id' }] } } }],
    ['cycle', { tables: { users: { ...users, link: { manager: 'users.id' } } } }],
    ['keep-without-basis', { tables: { users, orders: { key: ['id'], link: { user_id: 'users.id' }, keep: { for: '7y' } } } }],
    ['keep-without-basis', { tables: { users: { key: ['id'], columns: { email: { keep: { legal_basis: ' ', until: '2030-01-01' } } } } } }],
    ['keep-without-end', { tables: { users, orders: { key: ['id'], link: { user_id: 'users.id' }, keep: { legal_basis: 'HGB § 257' } } } }],
    ['keep-without-end', { tables: { users, orders: { key: ['id'], link: { user_id: 'users.id' }, keep: { legal_basis: 'HGB § 257', until: '2030-01-01', for: '7y' } } } }],
    ['mask-unknown', { tables: { users: { key: ['id'], columns: { email: { mask: 'deleted-{email}' } } } } }],
    ['hash-without-key', { tables: { users: { key: ['id'], columns: { email: { hash: true } } } } }],
    ['key-changed', { tables: { users: { key: ['id'], columns: { id: null } } } }],
    ['key-is-personal', { tables: { users: { key: ['email'], columns: { name: null } } }, subject: { table: 'users', key: 'email', identifiers: { email: 'email' } } }],
  ];
  it.each(refused)('is refused as %s', (code, what) => {
    expect(codes(what)).toContain(code);
    expect(databaseConfigSchema.safeParse(given(what)).success).toBe(false);
  });

  it('is not a circle where one of the references is cut', () => {
    const posts = { ...orders, unlink: { parent: 'posts.id' } };
    expect(codes({ tables: { users, posts } })).toEqual([]);
  });

  it('puts children before parents, the person last and cut references first', () => {
    const tables = { users, items: { key: ['id'], link: { order_id: 'orders.id' }, erase: 'delete' }, orders: { ...orders, unlink: { next: 'orders.id' } } };
    const { stages } = readDataMap(databaseShape.parse(given({ tables })));
    expect(stages.map(({ table, unlink }) => unlink ?? table)).toEqual(['next', 'items', 'orders', 'users']);
  });

  it('is refused where so many ways lead to a table that each row would be looked for again and again', () => {
    const tables: Record<string, unknown> = { users, t0: { ...orders, link: [{ a: 'users.id' }, { b: 'users.id' }] } };
    for (let at = 1; at < 6; at += 1) tables[`t${at}`] = { ...orders, link: [{ a: `t${at - 1}.id` }, { b: `t${at - 1}.id` }] };
    expect(codes({ tables })).toContain('too-many-paths');
  });

  it.each([
    ['another protocol', { url: 'https://db.example.com/app' }],
    ['no user', { url: 'postgres://db.example.com/app' }],
    ['parameters that would be passed over', { url: 'mysql://app@db.example.com/app?ssl-mode=REQUIRED' }],
    ['a name that ends a quotation', { tables: { 'users"': users } }],
    ['a duration of no unit', { tables: { users, orders: { key: ['id'], link: { user_id: 'users.id' }, keep: { legal_basis: 'HGB § 257', for: '7' } } } }],
  ])('is no configuration with %s', (_name, change) => {
    const { url, ...rest } = change as { readonly url?: string } & Given;
    expect(databaseShape.safeParse({ ...(given(rest) as object), ...(url === undefined ? {} : { url }) }).success).toBe(false);
  });
});

const column = (name: string, more: Partial<LiveColumn> = {}): readonly [string, LiveColumn] => [name, { name, kind: 'text', type: 'text', isNullable: true, isGenerated: false, ignoresCase: false, ...more }];
const id = column('id', { isNullable: false });
const live = (extra: Readonly<Record<string, readonly (readonly [string, LiveColumn])[]>> = {}, foreignKeys: readonly LiveForeignKey[] = [], isTransactional = true): LiveSchema => ({
  tables: new Map(
    Object.entries({ users: [id, column('email', { isNullable: false })], orders: [id, column('user_id')], ...extra }).map(([name, columns]) => [name, { name, columns: new Map(columns), keys: [['id']], isTransactional }]),
  ),
  foreignKeys,
});
const refersTo = (table: string, name: string, target = 'users', setsNull = false): LiveForeignKey => ({ table, columns: [name], target, targetColumns: ['id'], setsNull });
const against = (schema: LiveSchema, tables: Readonly<Record<string, unknown>> = { users, orders }): FindingCode[] => checkSchema(databaseShape.parse(given({ tables })), schema).map(({ code }) => code);

describe('a data map against its database', () => {
  it('that fits has nothing to refuse', () => {
    expect(against(live({}, [refersTo('orders', 'user_id')]))).toEqual([]);
  });

  const refused: readonly (readonly [FindingCode, LiveSchema, Readonly<Record<string, unknown>>?])[] = [
    ['table-unknown', live(), { users, orders, missing: { ...orders } }],
    ['column-unknown', live(), { users, orders: { ...orders, link: { customer: 'users.id' } } }],
    ['column-undecided', live({ users: [id, column('email'), column('nickname')] })],
    ['key-not-unique', live(), { users: { ...users, key: ['email'], columns: {} }, orders }],
    ['key-not-unique', live({ orders: [column('id'), column('user_id')] })],
    ['not-nullable', live(), { users: { key: ['id'], columns: { email: null } }, orders }],
    ['not-transactional', live({}, [], false)],
    ['foreign-key-without-plan', live({ stray: [id, column('owner')] }, [refersTo('stray', 'owner')])],
    ['foreign-key-without-plan', live({ orders: [id, column('user_id'), column('seller')] }, [refersTo('orders', 'seller')])],
    ['kept-row-refers-to-deleted', live({ items: [id, column('order_id')] }, [refersTo('items', 'order_id', 'orders')]), { users, orders, items: { key: ['id'], link: { order_id: 'orders.id' }, columns: {} } }],
    ['column-unknown', live({ users: [id, column('email', { isGenerated: true })] })],
  ];
  it.each(refused.map(([code, schema, tables]) => ({ code, schema, tables })))('is refused as $code', ({ code, schema, tables }) => {
    expect(against(schema, tables)).toContain(code);
  });

  it.each<readonly [string, Readonly<Record<string, unknown>>]>([
    ['a link', { users, orders: { ...orders, link: [{ user_id: 'users.id' }, { seller: 'users.id' }] } }],
    ['a cut', { users, orders: { ...orders, unlink: { seller: 'users.id' } } }],
    ['a decision that it stays, for the row that it refers to stays', { users, orders: { ...orders, not_personal: ['seller'] } }],
  ])('takes %s for the plan of a foreign key', (_name, tables) => {
    expect(against(live({ orders: [id, column('user_id'), column('seller')] }, [refersTo('orders', 'seller')]), tables)).toEqual([]);
  });

  it('takes no decision that a reference stays to rows that are deleted', () => {
    const schema = live({ notes: [id, column('order_id')] }, [refersTo('notes', 'order_id', 'orders')]);
    expect(against(schema, { users, orders, notes: { not_personal: ['order_id'] } })).toEqual(['foreign-key-without-plan']);
    expect(against(schema, { users, orders, notes: { key: ['id'], unlink: { order_id: 'orders.id' } } })).toEqual([]);
  });
});
