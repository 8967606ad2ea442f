import { sql } from 'kysely';
import type { Database } from '../../../src/platform/db/database.ts';
import { bystanders, type Person } from '../people.ts';
import type { Evidence } from './evidence.ts';

/** What a person is known by, as it would be found in a table in plain, and in the bytes of a column. */
function marksOf(person: Person): readonly string[] {
  return [person.name, person.phone, ...person.emails, ...person.emails.map((each) => each.toUpperCase()), ...person.customers, ...person.userIds, ...person.anonymousIds];
}

/** Nothing of a person stands in plain in any table of either database, jobs included; sealed, it is unreadable here. */
export async function traceViolations({ world }: Evidence): Promise<readonly string[]> {
  const marks = [...world.people, ...bystanders].flatMap((person) => marksOf(person));
  const needles = marks.flatMap((mark) => [mark, Buffer.from(mark, 'utf8').toString('hex')]);
  return [...(await search('main', world.main, needles)), ...(await search('audit', world.audit, needles))];
}

async function search(name: string, database: Database, needles: readonly string[]): Promise<readonly string[]> {
  const tables = await sql<{ schema: string; table: string }>`
    SELECT table_schema AS schema, table_name AS table FROM information_schema.tables
    WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2`.execute(database.read());
  const found: string[] = [];
  for (const { schema, table } of tables.rows) {
    const { rows } = await sql<{ text: string | null }>`SELECT string_agg(t::text, ' ') AS text FROM ${sql.table(`${schema}.${table}`)} AS t`.execute(database.read());
    const text = rows[0]?.text ?? '';
    const count = needles.filter((each) => text.includes(each)).length;
    // Not which: what is found is the person's.
    if (count > 0) found.push(`${name}: ${count} marks of people stand in plain in ${schema}.${table}`);
  }
  return found;
}
