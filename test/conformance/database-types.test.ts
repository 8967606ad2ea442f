import { beforeAll, expect, it } from 'vitest';
import { eraseToEnd } from '../../src/connector-kit/conformance/index.ts';
import type { Connection } from '../../src/connector-kit/index.ts';
import { connectTo, onBothDatabases, taskFor, type Change, type CompanyDatabase } from '../support/database-bench.ts';

/** Tables with keys and columns of every kind that one meets; the person is number 5, whose neighbour is number 6. */
const postgres = [
  "create type mood as enum ('good', 'bad')",
  'create domain address as varchar(200)',
  `create table "People of Example" (uid uuid primary key, "e mail" address not null, home inet, tags text[], amount numeric(12, 4), big bigint, seen timestamptz, born date, raw bytea, ok boolean, how mood, extra json, full_text text generated always as ("e mail" || '') stored)`,
  'create table events (at timestamptz not null, place bytea not null, person uuid not null, what text, primary key (at, place)) partition by range (at)',
  "create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01')",
  "create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01')",
  'create table votes (big bigint, person uuid references "People of Example" (uid), primary key (big))',
  ...[5, 6].flatMap((n) => [
    `insert into "People of Example" values ('00000000-0000-4000-8000-00000000000${n}', 'person-${n}@example.com', '192.0.2.${n}', array['a,b', 'c"d', null], 12.5000, 9007199254740993, '2024-05-06 07:08:09.123456+02', '1990-02-03', '\\x00ff0${n}', true, 'good', '{"b": 1, "a": "x"}')`,
    `insert into events select timestamptz '2024-12-31 23:00:00.000001+00' + i * interval '1 microsecond' + interval '${n} hours', decode('00ff27', 'hex'), '00000000-0000-4000-8000-00000000000${n}', 'what' from generate_series(1, 1100) i`,
    `insert into votes select i * 9007199254740000 / 1000 + ${n}, '00000000-0000-4000-8000-00000000000${n}' from generate_series(1, 600) i`,
  ]),
];
const mariadb = [
  `create table \`People of Example\` (uid binary(16) primary key, \`e mail\` varchar(200) not null, home varchar(40), amount decimal(12, 4), big bigint unsigned, seen datetime(6), born date, raw blob, ok boolean, how enum('good', 'bad'), extra json, full_text varchar(200) as (concat(\`e mail\`, '')) stored)`,
  'create table events (at datetime(6) not null, place varbinary(10) not null, person binary(16) not null, what text, primary key (at, place), index (person))',
  'create table votes (big bigint unsigned primary key, person binary(16), foreign key (person) references `People of Example` (uid))',
  ...[5, 6].flatMap((n) => [
    `insert into \`People of Example\` (uid, \`e mail\`, home, amount, big, seen, born, raw, ok, how, extra) values (unhex('0000000000004000800000000000000${n}'), 'person-${n}@example.com', '192.0.2.${n}', 12.5, 18446744073709551615, '2024-05-06 05:08:09.123456', '1990-02-03', unhex('00FF0${n}'), true, 'good', '{"b": 1, "a": "x"}')`,
    `insert into events select timestamp '2024-12-31 23:00:00.000001' + interval seq microsecond + interval ${n} hour, unhex('00FF27'), unhex('0000000000004000800000000000000${n}'), 'what' from seq_1_to_1100`,
    `insert into votes select 18446744073709000000 + seq * 10 + ${n}, unhex('0000000000004000800000000000000${n}') from seq_1_to_600`,
  ]),
];

onBothDatabases('values of every kind', (make) => {
  let database: CompanyDatabase;
  const isMysql = (): boolean => database.url.startsWith('mysql');
  const person = (): { readonly kind: 'user_id'; readonly value: string } => ({ kind: 'user_id', value: isMysql() ? '00000000000040008000000000000005' : '00000000-0000-4000-8000-000000000005' });
  const map: Change = (given) => {
    const table = 'People of Example';
    given.subject = { table, key: 'uid', identifiers: { user_id: 'uid', email: 'e mail' } };
    given.tables = {
      [table]: {
        key: ['uid'],
        columns: {
          'e mail': { mask: 'deleted-{id}@example.com' },
          home: { generalise: 'ip_network' },
          ...(isMysql() ? {} : { tags: null }),
          amount: { generalise: { step: 10 } },
          big: { constant: 0 },
          seen: { generalise: 'year' },
          born: { generalise: 'month' },
          raw: null,
          ok: { constant: false },
          how: { constant: 'bad' },
          extra: { constant: { a: [] } },
        },
      },
      events: { key: ['at', 'place'], link: { person: `${table}.uid` }, erase: 'delete' },
      votes: { key: ['big'], link: { person: `${table}.uid` }, erase: 'delete' },
    };
    given.rectify = {};
  };
  const connect = (): Connection => connectTo(database.url, map);
  beforeAll(async () => {
    database = await make();
    for (const each of isMysql() ? mariadb : postgres) await database.run(each);
  });

  it('are exported without loss, each row once', async () => {
    const records: { readonly type: string; readonly data: unknown }[] = [];
    for await (const page of connect().export?.(taskFor(person()).exporting()) ?? []) records.push(...page.records);
    expect(records[0]).toEqual({
      type: 'People of Example',
      data: {
        uid: isMysql() ? Buffer.from('00000000000040008000000000000005', 'hex').toString('base64') : person().value,
        'e mail': 'person-5@example.com',
        home: '192.0.2.5',
        ...(isMysql() ? {} : { tags: ['a,b', 'c"d', null] }),
        amount: '12.5000',
        big: isMysql() ? '18446744073709551615' : '9007199254740993',
        seen: isMysql() ? '2024-05-06T05:08:09.123456' : '2024-05-06T05:08:09.123456Z',
        born: '1990-02-03',
        raw: Buffer.from('00ff05', 'hex').toString('base64'),
        ok: isMysql() ? 1 : true,
        how: 'good',
        extra: { b: 1, a: 'x' },
        full_text: 'person-5@example.com',
      },
    });
    const keysOf = (type: string, name: string): unknown[] => records.filter((each) => each.type === type).map((each) => (each.data as Record<string, unknown>)[name]);
    expect(new Set(keysOf('votes', 'big')).size).toBe(600);
    expect(keysOf('events', 'at')).toHaveLength(1100);
    expect(() => JSON.stringify(records)).not.toThrow();
  });

  it('are changed and found changed, and rows whose keys differ in the last digit only are told apart', async () => {
    const task = taskFor(person());
    const run = await eraseToEnd(connect(), task);
    expect(run.result).toMatchObject({ outcome: 'anonymised', counts: { people_of_example: 1, events: 1100, votes: 600 } });
    expect(await connect().confirm(task.step({ cursor: run.cursor, attempt: 1 }))).toEqual({ state: 'absent' });
    const count = async (table: string): Promise<number> => Number((await database.run(`select count(*) as n from ${table}`))[0]?.['n']);
    expect([await count('events'), await count('votes')]).toEqual([1100, 600]);
    const quoted = isMysql() ? '`People of Example`' : '"People of Example"';
    const rows = await database.run(`select * from ${quoted} order by uid`);
    expect(rows[0]).toMatchObject({ home: '192.0.2.0', raw: null, how: 'bad' });
    expect(rows[1]).toMatchObject({ home: '192.0.2.6', how: 'good' });
    expect((await eraseToEnd(connect(), taskFor(person()))).result).toMatchObject({ outcome: 'already_absent', counts: {} });
  });

  it('are exported in pages of at most 8 MiB, however large each is, and one that is larger is said and not cut', async () => {
    await database.run('create table papers (id bigint primary key, person varchar(40) not null, text_of text)'.replace('text)', isMysql() ? 'longtext)' : 'text)'));
    await database.run('create table authors (id varchar(40) primary key, name varchar(20))');
    await database.run("insert into authors values ('author', 'Author')");
    const papers: Change = (given) => {
      given.subject = { table: 'authors', key: 'id', identifiers: { user_id: 'id' } };
      given.tables = { authors: { key: ['id'], columns: { name: null } }, papers: { key: ['id'], link: { person: 'authors.id' }, erase: 'delete' } };
      given.rectify = {};
    };
    for (let at = 1; at <= 60; at += 1) await database.run(`insert into papers values (${at}, 'author', repeat('"', 400000))`);
    const sizes: number[] = [];
    let rows = 0;
    const author = { kind: 'user_id', value: 'author' } as const;
    for await (const page of connectTo(database.url, papers).export?.(taskFor(author).exporting()) ?? []) {
      sizes.push(Buffer.byteLength(JSON.stringify(page.records)));
      rows += page.records.length;
    }
    expect(rows).toBe(61);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(sizes.length).toBeGreaterThan(5);
    await database.run("insert into papers values (100, 'author', repeat('\"', 4300000))");
    const reading = async (): Promise<void> => {
      for await (const page of connectTo(database.url, papers).export?.(taskFor(author).exporting()) ?? []) expect(page.records.length).toBeGreaterThan(0);
    };
    await expect(reading()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});
