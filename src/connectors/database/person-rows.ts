import { sql, type RawBuilder } from 'kysely';
import { Failure } from '../../connector-kit/index.ts';
import type { Path, Stage } from './data-map.ts';
import type { LiveColumn, LiveTable } from './live-schema.ts';
import type { Dialect, Row, Session, Tx } from './open-database.ts';
import { tableOf, type Subject } from './subject.ts';
import type { System } from './system.ts';
import { parameter, selected } from './values.ts';

/** Where a page of rows begins, and how much it holds. */
export interface PageOptions {
  /** The key of the last row of the page before; undefined at the start. */
  readonly after: readonly string[] | undefined;
  readonly limit: number;
  /** The columns to read besides the key. */
  readonly columns: readonly string[];
  /** True to hold the rows until the transaction ends, and to see them as they are then. */
  readonly locks: boolean;
}

/** Reads the next rows of one stage that are the person's, in the order of the table's key. Never a row of somebody else: what cannot be told is not read. */
export async function readPersonRows(tx: Tx, session: Session, system: System, stage: Stage, subject: Subject, options: PageOptions): Promise<readonly Row[]> {
  const { dialect } = session;
  const live = tableOf(system.schema.tables, stage.table);
  const key = keyOf(system, stage.table);
  const mine = condition(session, system, live, stage.path, subject, 0);
  if (mine === undefined) return [];
  const others = stage.earlier.flatMap((path) => condition(session, system, live, path, subject, 0) ?? []);
  const columns = [...new Set([...key, ...options.columns])].flatMap((each) => live.columns.get(each) ?? []);
  const conditions = [mine, ...others.map((each) => sql`(${each}) is not true`), ...(options.after === undefined ? [] : [beyond(dialect, live, key, options.after)])];
  const { rows } = await sql<Row>`
    select ${sql.join(columns.map((each) => selected(dialect, each, aliasOf(0))))} from ${sql.id(session.schema, live.name)} as ${sql.id(aliasOf(0))}
    where ${sql.join(conditions, sql` and `)} order by ${sql.join(key.map((each) => sql.id(aliasOf(0), each)))} limit ${sql.lit(options.limit)}
    ${options.locks ? (dialect === 'postgres' ? sql`for update of ${sql.id(aliasOf(0))}` : sql`for update`) : sql``}`.execute(tx);
  return rows;
}

/** The columns by which the rows of a table are told apart. */
export function keyOf({ config }: System, table: string): readonly string[] {
  const key = config.tables[table]?.key;
  if (key === undefined) throw new Failure('CONFIG_INVALID', `${table} has no key`);
  return key;
}

/** The key of a row, as text. */
export const keyValues = (key: readonly string[], row: Row): readonly string[] => key.map((each) => row[each] ?? '');

/** The condition that a row is one of those with the given keys. */
export function hasKey(dialect: Dialect, live: LiveTable, key: readonly string[], keys: readonly (readonly string[])[]): RawBuilder<unknown> {
  const columns = key.flatMap((each) => live.columns.get(each) ?? []);
  const values = keys.map((each) => columns.map((column, index) => keyParameter(dialect, column, each[index] ?? '')));
  const [only] = columns;
  if (columns.length === 1 && only !== undefined) return sql`${sql.id(only.name)} in (${sql.join(values.flat())})`;
  return sql`(${sql.join(columns.map((each) => sql.id(each.name)))}) in (${sql.join(values.map((each) => sql`(${sql.join(each)})`))})`;
}

/** What was read as a key goes back as one. */
function keyParameter(dialect: Dialect, column: LiveColumn, text: string): RawBuilder<unknown> {
  return parameter(dialect, column, text) ?? sql`${text}`;
}

function beyond(dialect: Dialect, live: LiveTable, key: readonly string[], after: readonly string[]): RawBuilder<unknown> {
  const columns = key.flatMap((each) => live.columns.get(each) ?? []);
  const names = columns.map((each) => sql.id(aliasOf(0), each.name));
  const values = columns.map((each, index) => keyParameter(dialect, each, after[index] ?? ''));
  if (dialect === 'postgres') return sql`(${sql.join(names)}) > (${sql.join(values)})`;
  // MySQL finds its index by the long form only.
  const steps = names.map((name, index) => {
    const same = names.slice(0, index).map((each, at) => sql`${each} = ${values[at]}`);
    return sql`(${sql.join([...same, sql`${name} > ${values[index]}`], sql` and `)})`;
  });
  return sql`(${sql.join(steps, sql` or `)})`;
}

const aliasOf = (depth: number): string => `t${depth}`;

/** The condition that a row is the person's by one way; undefined where nothing that the way needs is known of the person. */
function condition(session: Session, system: System, live: LiveTable, path: Path, subject: Subject, depth: number): RawBuilder<unknown> | undefined {
  const [hop, ...rest] = path;
  if (hop === undefined) {
    const { key } = system.config.subject;
    const known = subject[key] === undefined ? Object.keys(subject) : [key];
    return allEqual(session.dialect, live, known, known, subject, depth);
  }
  if (rest.length === 0 && hop.target === system.config.subject.table) return allEqual(session.dialect, live, hop.columns, hop.targetColumns, subject, depth);
  const target = tableOf(system.schema.tables, hop.target);
  const inner = condition(session, system, target, rest, subject, depth + 1);
  if (inner === undefined) return undefined;
  const from = sql`${sql.id(session.schema, target.name)} as ${sql.id(aliasOf(depth + 1))}`;
  const [column, another] = hop.columns;
  if (column !== undefined && another === undefined) {
    return sql`${sql.id(aliasOf(depth), column)} in (select ${sql.id(aliasOf(depth + 1), hop.targetColumns[0] ?? '')} from ${from} where ${inner})`;
  }
  const same = hop.columns.map((each, index) => sql`${sql.id(aliasOf(depth + 1), hop.targetColumns[index] ?? '')} = ${sql.id(aliasOf(depth), each)}`);
  return sql`exists (select 1 from ${from} where ${sql.join([...same, inner], sql` and `)})`;
}

function allEqual(dialect: Dialect, live: LiveTable, columns: readonly string[], subjectColumns: readonly string[], subject: Subject, depth: number): RawBuilder<unknown> | undefined {
  const parts: RawBuilder<unknown>[] = [];
  for (const [index, name] of columns.entries()) {
    const column = live.columns.get(name);
    const text = subject[subjectColumns[index] ?? ''] ?? null;
    const value = column === undefined || text === null ? undefined : parameter(dialect, column, text);
    if (column === undefined || text === null || value === undefined) return undefined;
    const place = sql.id(aliasOf(depth), name);
    parts.push(sql`${place} = ${value}`);
    // The usual collations of MySQL take letters with and without accents for the same: the row of another person must not be found by that.
    if (dialect === 'mysql' && column.kind === 'text') parts.push(sql`convert(lower(${place}) using utf8mb4) collate utf8mb4_bin = convert(lower(${text}) using utf8mb4) collate utf8mb4_bin`);
  }
  return parts.length === 0 ? undefined : sql`(${sql.join(parts, sql` and `)})`;
}
