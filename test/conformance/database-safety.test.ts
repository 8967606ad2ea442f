import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Death, eraseToEnd } from '../../src/connector-kit/conformance/index.ts';
import type { Connection, EraseContext, Json } from '../../src/connector-kit/index.ts';
import { checksumWithout, connectTo, exampleConnection, makeSchema, onBothDatabases, person, plantUsers, taskFor, userId, type Change, type CompanyDatabase, type ExampleSettings } from '../support/database-bench.ts';

const users = 30;
/** The person of these tests; the others must not be touched. */
const n = 7;
const { id, email } = person(n);

/** Gives a person more rows than two batches hold, or so many. */
async function plantMany(database: CompanyDatabase, count = 1200): Promise<void> {
  const rows = Array.from({ length: count }, (_, index) => index);
  await database.run(`insert into organization_members values ${rows.map((each) => `('${userId(100_000 + each)}', '${userId(n)}', 'member')`).join(', ')}`);
  await database.run(`insert into audit_log (id, actor_id, action, ip_address, created_at) values ${rows.map((each) => `(${1000 + each}, '${userId(n)}', 'login', '192.0.2.9', '2001-01-01 00:00:00')`).join(', ')}`);
}

/** A connection whose process dies at the given call of `save`, just before it is kept, or just after. */
function dyingAt(connection: Connection, at: number, when: 'before' | 'after'): { readonly connection: Connection; readonly saves: () => number } {
  let saves = 0;
  const erase = async (context: EraseContext): ReturnType<Connection['erase']> =>
    connection.erase({
      ...context,
      save: async (cursor: Json) => {
        saves += 1;
        if (saves === at && when === 'before') throw new Death();
        await context.save(cursor);
        if (saves === at) throw new Death();
      },
    });
  return { connection: { ...connection, erase }, saves: () => saves };
}

onBothDatabases('a database connection', (make) => {
  let database: CompanyDatabase;
  const connect = (change?: Change): Connection => connectTo(database.url, change);
  const cleared = ['invoices', 'gdpr_requests', 'audit_log', 'organization_members', 'users'];
  beforeAll(async () => {
    database = await make();
    await makeSchema(database);
  });
  beforeEach(async () => {
    for (const table of cleared) await database.run(`delete from ${table}`);
    await plantUsers(database, users);
  });
  const isMysql = (): boolean => database.url.startsWith('mysql');
  const own = async (table: string, column: string): Promise<number> => (await database.run(`select 1 as one from ${table} where ${column} = '${userId(n)}'`)).length;

  describe('after a death', () => {
    it.each(['before', 'after'] as const)('ends the same, each row once and counted once, wherever the process dies %s a place is kept', async (when) => {
      const before = await checksumWithout(database, n);
      await plantMany(database, 501);
      const counting = dyingAt(connect(), 0, when);
      const clean = await eraseToEnd(counting.connection, taskFor(id));
      expect(clean.result.counts).toEqual({ users: 1, organization_members: 502, audit_log: 502, invoices: 1 });
      expect(counting.saves()).toBeGreaterThan(10);
      for (let at = 1; at <= counting.saves(); at += 1) {
        for (const table of cleared) await database.run(`delete from ${table}`);
        await plantUsers(database, users);
        await plantMany(database, 501);
        const run = await eraseToEnd(dyingAt(connect(), at, when).connection, taskFor(id));
        expect(run.result, `death at ${at}`).toMatchObject({ state: 'done', outcome: 'anonymised', counts: clean.result.counts, residue: clean.result.residue });
        expect(await own('organization_members', 'user_id')).toBe(0);
        expect(await checksumWithout(database, n)).toBe(before);
      }
    });

    it('ends the same when every step has to yield at once, or its result is lost', async () => {
      await plantMany(database);
      const task = taskFor(id, { shouldYield: () => true });
      const run = await eraseToEnd(connect(), task, { stepsMax: 100, loseResultOfStep: 3 });
      expect(run.results.length).toBeGreaterThan(5);
      const seen: string[] = [];
      for (let cursor = run.cursor; seen.at(-1) !== 'absent' && seen.length < 100; cursor = task.saved()?.cursor ?? cursor) seen.push((await connect().confirm(task.step({ cursor, attempt: 1 }))).state);
      expect(seen.length).toBeGreaterThan(5);
      expect(seen.slice(0, -1).every((each) => each === 'later')).toBe(true);
      expect(seen.at(-1)).toBe('absent');
      expect(run.result).toMatchObject({ outcome: 'anonymised', counts: { users: 1, organization_members: 1201, audit_log: 1201, invoices: 1 } });
    });

    it('goes back where the application wrote a new row of the person behind it, and gives up on one that does not stop', async () => {
      const gone: Change = (given) => {
        for (const rule of Object.values(given.tables)) {
          for (const name of ['keep', 'columns', 'not_personal']) delete rule[name];
          rule['erase'] = 'delete';
        }
      };
      const writing = (times: number): Connection => {
        let written = 0;
        const connection = connect(gone);
        const erase = async (context: EraseContext): ReturnType<Connection['erase']> =>
          connection.erase({
            ...context,
            save: async (cursor: Json) => {
              await context.save(cursor);
              // After a batch of audit rows, of which the membership's table comes before or behind it: once nothing is pending.
              const { place, pending } = cursor as { readonly place: { readonly tally: { readonly counts: Readonly<Record<string, number>> } }; readonly pending?: unknown };
              const before = ['organization_members', 'audit_log', 'gdpr_requests', 'invoices'].every((each) => (place.tally.counts[each] ?? 0) > 0);
              if (pending !== undefined || !before || written >= times) return;
              written += 1;
              await database.run(`insert into organization_members values ('${userId(50_000 + written)}', '${userId(n)}', 'late')`);
            },
          });
        return { ...connection, erase };
      };
      const before = await checksumWithout(database, n);
      const run = await eraseToEnd(writing(1), taskFor(id));
      expect(run.result).toMatchObject({ outcome: 'erased', counts: { users: 1, organization_members: 2, audit_log: 2, gdpr_requests: 1, invoices: 2 } });
      expect(await checksumWithout(database, n)).toBe(before);
      const other = taskFor({ kind: 'user_id', value: userId(n) });
      await database.run(`insert into users (id, email) values ('${userId(n)}', 'user-7@example.com')`);
      for (const [table, values] of [['organization_members', `'${userId(0)}', '${userId(n)}', 'x'`], ['invoices', `999, '${userId(n)}', 'x', '2001-01-01 00:00:00'`]]) await database.run(`insert into ${table} values (${values})`);
      await database.run(`insert into audit_log (id, actor_id, action) values (999, '${userId(n)}', 'x')`);
      await database.run(`insert into gdpr_requests (id, user_id, request_type, status) values (999, '${userId(n)}', 'x', 'x')`);
      await expect(eraseToEnd(writing(1000), other)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    });

    it('finds the person again by what was kept, although the row that the address was in is changed', async () => {
      const task = taskFor(email, { identifiers: [email] });
      const change: Change = (given) => void (given.subject.identifiers = { email: 'email' });
      const connection = connect(change);
      const run = await eraseToEnd(connection, task);
      expect(run.result).toMatchObject({ outcome: 'anonymised' });
      await database.run(`insert into organization_members values ('${userId(9)}', '${userId(n)}', 'back')`);
      expect(await connection.confirm(task.step({ cursor: run.cursor, attempt: 1 }))).toEqual({ state: 'present', found: [email] });
      const retried = await connection.erase({ ...task.step({ cursor: null, attempt: 1 }), previous: run.cursor });
      expect(retried).toMatchObject({ outcome: 'erased', counts: { organization_members: 1 } });
      expect(await connection.confirm(task.step({ cursor: run.cursor, attempt: 1 }))).toEqual({ state: 'absent' });
    });
  });

  describe('what stands in the way', () => {
    it('is tried later where somebody holds a lock, and then done', async () => {
      await database.run(isMysql() ? 'start transaction' : 'begin');
      await database.run(`update users set name = 'Busy' where id = '${userId(n)}'`);
      await expect(eraseToEnd(connect(), taskFor(id), { stepsMax: 1 })).rejects.toThrow(/did not end/u);
      await expect(connect().erase(taskFor(id).step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
      await database.run('rollback');
      expect((await eraseToEnd(connect(), taskFor(id))).result).toMatchObject({ outcome: 'anonymised' });
    });

    it('is tried later where the server cuts the connection, and done once', async () => {
      await plantMany(database);
      const cut = async (): Promise<void> => {
        if (!isMysql()) {
          await database.run("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'quittance' and datname = current_database()");
          return;
        }
        for (const row of await database.run('select id from information_schema.processlist where id <> connection_id()')) await database.run(`kill ${String(row['id'])}`);
      };
      let cuts = 0;
      const connection = connect();
      const erase = async (context: EraseContext): ReturnType<Connection['erase']> =>
        connection.erase({
          ...context,
          save: async (cursor: Json) => {
            await context.save(cursor);
            cuts += 1;
            if (cuts % 4 === 1 && cuts < 14) await cut();
          },
        });
      const run = await eraseToEnd({ ...connection, erase }, taskFor(id));
      // A connection that is cut between two transactions is replaced unnoticed.
      expect(run.failures.length).toBeGreaterThan(1);
      expect(new Set(run.failures.map(({ code }) => code))).toEqual(new Set(['VENDOR_UNAVAILABLE']));
      expect(run.result).toMatchObject({ outcome: 'anonymised', counts: { users: 1, organization_members: 1201, audit_log: 1201, invoices: 1 } });
    });

    it('goes to a person where the masked value is taken, without a word of it', async () => {
      const change: Change = (given) => void ((given.tables['users']?.columns ?? {})['email'] = { constant: 'user-8@example.com' });
      const failure: unknown = await connect(change).erase(taskFor(id).step({ cursor: null, attempt: 1 })).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 'MASK_NOT_UNIQUE' });
      expect((failure as Error).cause).toBeUndefined();
      expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('user-8');
      expect(await own('users', 'id')).toBe(1);
    });

    it.each([
      ['a wrong password', (url: string) => url.replace(/:[^:@/]+@/u, ':wrong@'), 'CONNECTION_AUTH'],
      ['nobody listening', (url: string) => url.replace(/:\d+\//u, ':1/'), 'VENDOR_UNAVAILABLE'],
      ['no TLS where it is asked for', (url: string) => `${url}?sslmode=require`, 'CONNECTION_REFUSED'],
      ['a database that is not there', (url: string) => `${url}_none`, 'refused'],
    ])('is said by its code: %s', async (_name, change, code) => {
      const failing = connectTo(change(database.url)).check(taskFor(id).plain);
      // MySQL does not tell a database that is not there from one that is forbidden.
      const expected = code === 'refused' ? (isMysql() ? 'CONNECTION_AUTH' : 'CONFIG_INVALID') : code;
      await expect(failing).rejects.toMatchObject({ code: expected });
      await connect().check(taskFor(id).plain);
    });

    it('is refused before anything runs: a reference from a table that the map does not have', async () => {
      await database.run('create table comments (id bigint primary key, author char(36), foreign key (author) references users (id))');
      try {
        await expect(connect().erase(taskFor(id).step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'CONFIG_INVALID', detail: expect.stringContaining('comments') as unknown });
        await expect(connect().check(taskFor(id).plain)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
        expect(await own('organization_members', 'user_id')).toBe(1);
      } finally {
        await database.run('drop table comments');
      }
      await connect().check(taskFor(id).plain);
    });

    it('is refused before anything runs: a column of a row that stays and of which nothing is said', async () => {
      await database.run('alter table users add column nickname varchar(20)');
      try {
        await expect(connect().check(taskFor(id).plain)).rejects.toMatchObject({ detail: expect.stringContaining('users.nickname') as unknown });
      } finally {
        await database.run('alter table users drop column nickname');
      }
    });

    it('is not passed over: a rule of the database that keeps rows from being deleted', async () => {
      if (isMysql()) await database.run("create trigger keeps before delete on organization_members for each row signal sqlstate '45000' set message_text = 'kept'");
      else await database.run('create function keeps() returns trigger language plpgsql as $$ begin return null; end $$; create trigger keeps before delete on organization_members for each row execute function keeps()');
      try {
        await expect(connect().erase(taskFor(id).step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: isMysql() ? 'CONNECTION_REFUSED' : 'VENDOR_INCONSISTENT' });
      } finally {
        await database.run(isMysql() ? 'drop trigger keeps' : 'drop trigger keeps on organization_members; drop function keeps()');
      }
    });
  });

  describe('whom an identifier finds', () => {
    it.each(["' or '1'='1", `${userId(n)}' -- `, '%', '\\', `${userId(n)}\0`, '{}', '0'])('is nobody by %j', async (value) => {
      const before = await checksumWithout(database, 0);
      const stranger = { kind: 'user_id', value } as const;
      expect(await connect().locate(taskFor(stranger).plain, [stranger, { kind: 'email', value }])).toEqual({ found: [], knows: [] });
      expect((await eraseToEnd(connect(), taskFor(stranger, { seenHere: false }))).result).toMatchObject({ outcome: 'nothing_matched', counts: {} });
      expect(await checksumWithout(database, 0)).toBe(before);
    });

    it('is the person in whatever case the address is stored, and not one whose letters have accents', async () => {
      await database.run(`update users set email = 'User-7@Example.COM' where id = '${userId(7)}'`);
      // The usual collations of MySQL take the two for one, and a unique index would not let the second in.
      await database.run(isMysql() ? 'alter table users drop index email' : 'select 1');
      await database.run(`update users set email = 'üser-7@example.com' where id = '${userId(8)}'`);
      try {
        const { found, knows } = await connect().locate(taskFor(email).plain, [email]);
        expect(knows).toEqual([email]);
        expect(found.filter(({ identifier }) => identifier.kind === 'user_id').map(({ identifier }) => identifier.value)).toEqual([userId(7)]);
      } finally {
        await database.run(`update users set email = 'eight@example.com' where id = '${userId(8)}'`);
        await database.run(isMysql() ? 'alter table users add unique (email)' : 'select 1');
      }
    });

    it('is not somebody by the first digits of a number', async () => {
      await database.run('create table people (id bigint primary key, email varchar(100) not null)');
      await database.run("insert into people values (12, 'twelve@example.com'), (9007199254740993, 'large@example.com'), (9007199254740992, 'next@example.com')");
      const change: Change = (given) => {
        given.subject = { table: 'people', key: 'id', identifiers: { user_id: 'id' } };
        given.tables = { people: { key: ['id'], columns: { email: { mask: 'deleted-{id}@example.com' } } } };
        given.rectify = {};
      };
      try {
        for (const value of ['12abc', '12.0', ' 12', '99999999999999999999999']) expect((await eraseToEnd(connect(change), taskFor({ kind: 'user_id', value }, { seenHere: false }))).result).toMatchObject({ outcome: 'nothing_matched' });
        expect((await eraseToEnd(connect(change), taskFor({ kind: 'user_id', value: '9007199254740993' }))).result).toMatchObject({ outcome: 'anonymised', counts: { people: 1 } });
        const rows = await database.run('select email from people order by id');
        expect(rows.map((row) => row['email'])).toEqual(['twelve@example.com', 'next@example.com', 'deleted-9007199254740993@example.com']);
      } finally {
        await database.run('drop table people');
      }
    });

    it('is asked of a person where it finds two, and both are erased only when that is let run', async () => {
      await database.run(`update users set phone = '+12025550100' where id in ('${userId(7)}', '${userId(8)}')`);
      const change: Change = (given) => void (given.subject.identifiers = { phone: 'phone' });
      const phone = { kind: 'phone', value: '+12025550100' } as const;
      const connection = connect(change);
      const task = taskFor(phone);
      const asked = await connection.erase(task.step({ cursor: null, attempt: 1 }));
      expect(asked).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS' });
      expect(await own('organization_members', 'user_id')).toBe(1);
      const previous = asked.state === 'operator' ? (asked.cursor ?? null) : null;
      const again = await connection.erase({ ...task.step({ cursor: null, attempt: 1 }), previous });
      expect(again).toMatchObject({ state: 'done', outcome: 'anonymised', counts: { users: 2, organization_members: 2 } });
    });
  });

  describe('what the map says', () => {
    const messages = async (): Promise<void> => {
      await database.run('create table threads (id bigint primary key, owner char(36) not null, foreign key (owner) references users (id))');
      await database.run('create table posts (thread_id bigint not null, place integer not null, answers integer, body text, primary key (thread_id, place), foreign key (thread_id) references threads (id))');
      await database.run('create table likes (id bigint primary key, thread_id bigint, place integer, liked_by char(36), foreign key (thread_id, place) references posts (thread_id, place), foreign key (liked_by) references users (id))');
      await database.run(`insert into threads values (1, '${userId(n)}'), (2, '${userId(8)}')`);
      await database.run("insert into posts values (1, 1, null, 'one'), (1, 2, 1, 'two'), (2, 1, null, 'three')");
      await database.run(`insert into likes values (1, 1, 2, '${userId(8)}'), (2, 2, 1, '${userId(n)}'), (3, 2, 1, '${userId(9)}')`);
    };
    const withMessages: Change = (given) => {
      given.tables['threads'] = { key: ['id'], link: { owner: 'users.id' }, erase: 'delete' };
      given.tables['posts'] = { key: ['thread_id', 'place'], link: { thread_id: 'threads.id' }, erase: 'delete' };
      given.tables['likes'] = { key: ['id'], link: [{ thread_id: 'posts.thread_id', place: 'posts.place' }, { liked_by: 'users.id' }], erase: 'delete' };
    };
    const drop = async (): Promise<void> => {
      for (const table of ['likes', 'posts', 'threads']) await database.run(`drop table ${table}`);
    };

    it('is followed along links of links, by several ways and keys of several columns, children first', async () => {
      await messages();
      try {
        const run = await eraseToEnd(connect(withMessages), taskFor(id));
        expect(run.result).toMatchObject({ outcome: 'anonymised', counts: { threads: 1, posts: 2, likes: 2 } });
        expect((await database.run('select id from likes')).map((row) => Number(row['id']))).toEqual([3]);
        expect((await database.run('select id from threads')).map((row) => Number(row['id']))).toEqual([2]);
        expect(await database.run('select * from posts')).toHaveLength(1);
      } finally {
        await drop();
      }
    });

    it('is refused where a reference to deleted rows has no plan, and done where it is cut', async () => {
      await messages();
      await database.run('alter table posts add column cited bigint');
      await database.run('alter table posts add foreign key (cited) references threads (id)');
      await database.run('update posts set cited = 1 where thread_id = 2');
      try {
        await expect(connect(withMessages).check(taskFor(id).plain)).rejects.toMatchObject({ detail: expect.stringContaining('posts.cited refers to threads.id') as unknown });
        const cut: Change = (given) => {
          withMessages(given);
          given.tables['posts'] = { ...given.tables['posts'], unlink: { cited: 'threads.id' } };
        };
        const run = await eraseToEnd(connect(cut), taskFor(id));
        expect(run.result).toMatchObject({ outcome: 'anonymised', counts: { threads: 1, posts: 3 } });
        expect(await database.run('select cited from posts')).toEqual([{ cited: null }]);
      } finally {
        await drop();
      }
    });

    it('has everything kept where the law keeps everything, and says until when', async () => {
      const change: Change = (given) => {
        given.tables = Object.fromEntries(Object.entries(given.tables).map(([table, { key, link }]) => [table, { key, ...(link === undefined ? {} : { link }), keep: { legal_basis: 'Example Act § 1', until: '2999-01-01' } }]));
      };
      const run = await eraseToEnd(connect(change), taskFor(id));
      expect(run.result).toMatchObject({ outcome: 'retained', counts: {} });
      expect(run.result.residue).toContainEqual({ what: 'invoices', why: 'legal_obligation', count: 2, legal_basis: 'Example Act § 1', until: '2999-01-01T00:00:00.000Z' });
      expect(await own('users', 'id')).toBe(1);
    });

    it('deletes every row where it says so, and tells hashes and coarser values from those that are none', async () => {
      const gone: Change = (given) => {
        for (const rule of Object.values(given.tables)) {
          for (const name of ['keep', 'columns', 'not_personal']) delete rule[name];
          rule['erase'] = 'delete';
        }
      };
      const coarse: Change = (given) => {
        given.hash_key = 'a secret of sixteen and more';
        given.tables['users'] = { ...given.tables['users'], columns: { email: { hash: true }, name: { generalise: { first: 1 } }, phone: null, preferences: { constant: null } } };
        given.tables['audit_log'] = { ...given.tables['audit_log'], columns: { ip_address: { generalise: 'ip_network' }, created_at: { generalise: 'month' } }, not_personal: ['action'] };
      };
      const task = taskFor(id);
      const run = await eraseToEnd(connect(coarse), task);
      expect(run.result).toMatchObject({ outcome: 'anonymised', counts: { users: 1, audit_log: 2 } });
      const [row] = await database.run(`select email, name from users where id = '${userId(n)}'`);
      expect(row).toEqual({ email: expect.stringMatching(/^[0-9a-f]{32}$/u) as unknown, name: 'P' });
      expect(await connect(coarse).confirm(task.step({ cursor: run.cursor, attempt: 1 }))).toEqual({ state: 'absent' });
      expect((await eraseToEnd(connect(coarse), taskFor(id))).result).toMatchObject({ outcome: 'already_absent', counts: {} });
      const trail = await database.run(`select ip_address from audit_log where actor_id = '${userId(n)}'`);
      expect(trail.map((each) => each['ip_address'])).toEqual(['192.0.2.0', '192.0.2.0']);
      const all = await eraseToEnd(connect(gone), taskFor(id));
      expect(all.result).toMatchObject({ outcome: 'erased', counts: { users: 1, audit_log: 2, invoices: 1, gdpr_requests: 1 } });
      expect(await own('users', 'id')).toBe(0);
      expect((await eraseToEnd(connect(gone), taskFor(id, { seenHere: false }))).result).toMatchObject({ outcome: 'nothing_matched' });
    });
  });

  it('says present where a changed row has its old value again', async () => {
    const task = taskFor(id, { identifiers: [id, email] });
    const run = await eraseToEnd(connect(), task);
    expect(await connect().confirm(task.step({ cursor: run.cursor, attempt: 1 }))).toEqual({ state: 'absent' });
    await database.run(`update users set email = 'user-7@example.com' where id = '${userId(n)}'`);
    expect(await connect().confirm(task.step({ cursor: run.cursor, attempt: 1 }))).toEqual({ state: 'present', found: [id] });
  });

  it('changes nothing by a dry run, also where it cannot be carried out', async () => {
    const before = await checksumWithout(database, 0);
    expect(await connect().dryRun?.(taskFor(id).step({ cursor: null, attempt: 1 }))).toMatchObject({ counts: { users: 1, organization_members: 1, audit_log: 1, invoices: 1 } });
    const taken: Change = (given) => void ((given.tables['users']?.columns ?? {})['email'] = { constant: 'user-8@example.com' });
    await expect(connect(taken).dryRun?.(taskFor(id).step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'MASK_NOT_UNIQUE' });
    expect(await checksumWithout(database, 0)).toBe(before);
  });

  it('exports every row of the person once, in pages that can be taken up again, and of nobody else', async () => {
    await plantMany(database);
    const connection = connect((given) => void ((given.tables['invoices'] as Record<string, unknown>)['export'] = { omit: ['address'] }));
    const read = async (cursor: Json): Promise<{ readonly types: string[]; readonly pages: number; readonly last: Json; readonly first: unknown }> => {
      const types: string[] = [];
      let [pages, last, first]: [number, Json, unknown] = [0, cursor, undefined];
      for await (const page of connection.export?.(taskFor(id).exporting(last)) ?? []) {
        expect(page.records.length).toBeLessThanOrEqual(1000);
        expect(page.resume).toBeDefined();
        types.push(...page.records.map(({ type }) => type));
        first ??= page.records[0]?.data;
        last = page.resume ?? null;
        pages += 1;
        if (cursor === null && pages === 3) break;
      }
      return { types, pages, last, first };
    };
    const begun = await read(null);
    expect(begun.first).toMatchObject({ id: userId(n), email: 'user-7@example.com', preferences: { theme: 'dark', n }, created_at: '2026-01-02T03:04:05' });
    const rest = await read(begun.last);
    const all = [...begun.types, ...rest.types];
    const count = (type: string): number => all.filter((each) => each === type).length;
    expect([count('users'), count('organization_members'), count('audit_log'), count('gdpr_requests'), count('invoices')]).toEqual([1, 1201, 1202, 1, 2]);
    const stranger = connection.export?.(taskFor({ kind: 'user_id', value: 'nobody' }).exporting()) ?? [];
    for await (const page of stranger) expect(page.records).toEqual([]);
  });

  it('corrects where the value is what the person says, leaves what is otherwise, and reads back', async () => {
    const task = taskFor(id, { identifiers: [id, email] });
    const context = (corrections: readonly { readonly field: string; readonly from?: string; readonly to: string }[]): Parameters<NonNullable<Connection['rectify']>>[0] => ({ ...task.step({ cursor: null, attempt: 1 }), corrections });
    const connection = connect();
    const right = context([{ field: 'name', from: 'Person Number 7', to: 'Person Number Seven' }, { field: 'email', to: 'seven@example.com' }]);
    expect(await connection.confirmRectified?.(right)).toEqual({ state: 'otherwise', fields: ['name', 'email'] });
    expect(await connection.rectify?.(right)).toMatchObject({ outcome: 'corrected', counts: { users: 2 } });
    expect(await connection.confirmRectified?.(right)).toEqual({ state: 'as_asked' });
    expect(await connection.rectify?.(right)).toMatchObject({ outcome: 'corrected', counts: {} });
    expect(await connection.rectify?.(context([{ field: 'name', from: 'Somebody', to: 'Nobody' }]))).toMatchObject({ outcome: 'nothing_matched', counts: {} });
    expect(await connection.rectify?.(context([{ field: 'shoe_size', to: '42' }]))).toMatchObject({ state: 'operator', code: 'UNSUPPORTED' });
    expect(await database.run(`select name, email from users where id = '${userId(n)}'`)).toEqual([{ name: 'Person Number Seven', email: 'seven@example.com' }]);
  });

  it('reads a correction of which no row is found back as otherwise, and one that a row shows as asked', async () => {
    const connection = connect();
    const contextOf = (value: string): Parameters<NonNullable<Connection['rectify']>>[0] => ({ ...taskFor({ kind: 'user_id', value }).step({ cursor: null, attempt: 1 }), corrections: [{ field: 'name', to: 'Person Number Seven' }] });
    await connection.rectify?.(contextOf(userId(n)));
    expect(await connection.confirmRectified?.(contextOf(userId(n)))).toEqual({ state: 'as_asked' });
    expect(await connection.confirmRectified?.(contextOf(userId(77_777)))).toEqual({ state: 'otherwise', fields: ['name'] });
  });
});

it('the example is what the tests use', () => {
  const given: ExampleSettings = exampleConnection('postgres://app@db.example.com/app');
  expect(Object.keys(given.tables)).toEqual(['users', 'organization_members', 'audit_log', 'gdpr_requests', 'invoices']);
});
