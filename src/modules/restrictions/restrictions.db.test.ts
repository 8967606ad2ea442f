import { randomBytes } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import { createLocalKeyProvider } from '../../platform/crypto/key-provider.ts';
import { loadSystemKeys } from '../../platform/crypto/system-keys.ts';
import type { Database } from '../../platform/db/database.ts';
import { createRestrictions, type Restrictions } from './restrictions.ts';
import type { RestrictionTables } from './tables.ts';

const email: Identifier = { kind: 'email', value: 'ada@example.com' };
const phone: Identifier = { kind: 'phone', value: '+12025550143' };
const marketing = { purpose: 'direct_marketing', legalBasis: undefined };
let database: Database;
let restrictions: Restrictions;
let now = Date.parse('2026-11-21T10:00:00Z');
const recorded: AuditEntry[] = [];
const told: unknown[] = [];

describe.each(databaseKinds)('the register of restrictions on the database of kind $kind', ({ kind }) => {
  const shared = useDatabase(kind, 'main');
  beforeAll(async () => {
    database = shared.open();
    const systemKeys = await loadSystemKeys(database, createLocalKeyProvider(randomBytes(32)));
    restrictions = createRestrictions({ database, systemKeys, clock: { now: () => now }, record: async (_tx, entry) => void recorded.push(entry), tellLifted: async (_tx, lifted) => void told.push(lifted) });
  });
  beforeEach(async () => {
    recorded.length = 0;
    told.length = 0;
    await database.read<RestrictionTables>().deleteFrom('restriction').execute();
  });

  it('stops what a right stops, for whoever has any of the identifiers, and for nobody else', async () => {
    await database.transaction((tx) => restrictions.enter(tx, 'objection', [email, phone]));
    expect(await restrictions.judge([phone], marketing)).toEqual({ allowed: false, stopped_by: [{ right: 'objection', since: '2026-11-21T10:00:00.000Z' }] });
    expect(await restrictions.judge([phone], { purpose: 'billing', legalBasis: 'contract' })).toEqual({ allowed: true, stopped_by: [] });
    expect(await restrictions.judge([{ kind: 'email', value: 'bob@example.com' }], marketing)).toEqual({ allowed: true, stopped_by: [] });
  });

  it('keeps the first day of a right that is entered again, and begins anew for one that was lifted', async () => {
    await database.transaction((tx) => restrictions.enter(tx, 'restriction', [email]));
    now += 86_400_000;
    await database.transaction((tx) => restrictions.enter(tx, 'restriction', [email]));
    expect((await restrictions.judge([email], marketing)).stopped_by).toEqual([{ right: 'restriction', since: '2026-11-21T10:00:00.000Z' }]);
    expect(await restrictions.lift('restriction', [email, phone], 'alice')).toBe(1);
    expect(recorded).toMatchObject([{ type: 'restriction.lifted', actor: { role: 'operator', id: 'alice' }, right: 'restriction', counts: { identifiers: 1 } }]);
    expect((await restrictions.judge([email], marketing)).allowed).toBe(true);
    await database.transaction((tx) => restrictions.enter(tx, 'restriction', [email]));
    expect((await restrictions.judge([email], marketing)).stopped_by).toEqual([{ right: 'restriction', since: '2026-11-22T10:00:00.000Z' }]);
    now -= 86_400_000;
  });

  it('tells of the end of a restriction whom it was told to, once, by what they were told by, and nobody who was not told', async () => {
    const bob: Identifier = { kind: 'email', value: 'bob@example.com' };
    await database.transaction((tx) => restrictions.enter(tx, 'restriction', [email, phone, bob]));
    for (const each of ['parcel', 'parcel', 'lawyer']) await database.transaction((tx) => restrictions.noteTold(tx, 'restriction', [email], each));
    await database.transaction((tx) => restrictions.noteTold(tx, 'restriction', [email, phone], 'parcel'));
    expect(await restrictions.lift('restriction', [bob], 'alice')).toBe(1);
    expect(told).toEqual([]);
    expect(await restrictions.holds('restriction', [email])).toBe(true);
    expect(await restrictions.lift('restriction', [email, phone, bob], 'alice')).toBe(2);
    expect(told).toEqual([{ recipient: 'parcel', identifiers: [email, phone] }, { recipient: 'lawyer', identifiers: [email] }]);
    expect(await restrictions.holds('restriction', [email, phone])).toBe(false);
    await database.transaction((tx) => restrictions.enter(tx, 'restriction', [email]));
    await restrictions.lift('restriction', [email], 'alice');
    expect(told).toHaveLength(2);
  });

  it('holds nothing that names a person', async () => {
    await database.transaction((tx) => restrictions.enter(tx, 'opt_out_sale', [email]));
    const rows = await database.read<RestrictionTables>().selectFrom('restriction').selectAll().execute();
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain('ada');
    expect(await restrictions.lift('objection', [email], 'alice')).toBe(0);
  });
});
