import { beforeAll, expect, it } from 'vitest';
import { eraseToEnd } from '../../src/connector-kit/conformance/index.ts';
import { checksumWithout, connectTo, makeSchema, onBothDatabases, person, plantUsers, taskFor, userId, type CompanyDatabase } from '../support/database-bench.ts';

const asJson = (value: unknown): unknown => (typeof value === 'string' ? JSON.parse(value) : value);

onBothDatabases('the reference scenario with 20,000 users', (make) => {
  let database: CompanyDatabase;
  beforeAll(async () => {
    database = await make();
    await makeSchema(database);
    await plantUsers(database, 20_000);
  });

  it('anonymises the person, deletes the memberships, keeps the trail with its ids, and touches nobody else', async () => {
    const connection = connectTo(database.url);
    const n = 7000;
    const before = await checksumWithout(database, n);
    const { id, email } = person(n);
    const located = await connection.locate(taskFor(email).plain, [email]);
    expect(located.knows).toEqual([email]);
    expect(located.found.map(({ identifier }) => identifier)).toContainEqual(id);
    const task = taskFor(id, { identifiers: [id, email] });
    const rehearsed = await connection.dryRun?.(task.step({ cursor: null, attempt: 1 }));
    const run = await eraseToEnd(connection, task);
    expect(run.result).toMatchObject({
      state: 'done',
      outcome: 'anonymised',
      counts: { users: 1, organization_members: 1, audit_log: 1, invoices: 1 },
      residue: expect.arrayContaining([
        { what: 'invoices', why: 'legal_obligation', count: 1, legal_basis: 'HGB § 257', until: '2032-05-05T00:00:00.000Z' },
        { what: 'gdpr_requests', why: 'legal_obligation', count: 1, legal_basis: 'GDPR Art. 5(2)', until: '2029-01-02T03:04:05.000Z' },
        { what: 'audit_log_ip_address', why: 'legal_obligation', count: 1, legal_basis: 'GDPR Art. 6(1)(f), security', until: '2027-01-02T03:04:05.000Z' },
      ]) as unknown,
    });
    expect(rehearsed).toEqual({ counts: run.result.counts, residue: run.result.residue });
    const partial = userId(n).slice(0, 8);
    const [user] = await database.run(`select * from users where id = '${userId(n)}'`);
    expect(user).toMatchObject({ email: `deleted-${partial}@example.com`, name: 'Deleted User', phone: null });
    expect(asJson(user?.['preferences'])).toEqual({});
    expect(await database.run(`select * from organization_members where user_id = '${userId(n)}'`)).toEqual([]);
    const trail = await database.run(`select * from audit_log where actor_id = '${userId(n)}' order by id`);
    expect(trail.map((row) => [Number(row['id']), row['action'], row['ip_address']])).toEqual([
      [2 * n, 'login', '192.0.2.7'],
      [2 * n + 1, 'workstation.create', null],
    ]);
    expect((await database.run(`select * from invoices where user_id = '${userId(n)}'`)).map((row) => Number(row['id']))).toEqual([2 * n + 1]);
    expect(await connection.confirm(task.step({ cursor: run.cursor, attempt: 1 }))).toEqual({ state: 'absent' });
    expect(await checksumWithout(database, n)).toBe(before);
    expect(await connection.locate(taskFor(email).plain, [email, id])).toEqual({ found: [], knows: [] });
    const again = await eraseToEnd(connection, taskFor(id));
    expect(again.result).toMatchObject({ outcome: 'already_absent', counts: {} });
  });
});
