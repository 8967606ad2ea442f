import { sql } from 'kysely';
import type { Session, Tx } from './open-database.ts';

/** What the values of a column are, as far as it matters here. */
export type ValueKind = 'integer' | 'number' | 'boolean' | 'json' | 'binary' | 'uuid' | 'date' | 'time' | 'text' | 'array' | 'other';

/** A column as the database has it. */
export interface LiveColumn {
  readonly name: string;
  readonly kind: ValueKind;
  /** The database's own name of the type. */
  readonly type: string;
  readonly isNullable: boolean;
  /** Made by the database from other columns. */
  readonly isGenerated: boolean;
  /** True where the database itself takes upper and lower case for the same. */
  readonly ignoresCase: boolean;
}

/** A table as the database has it. */
export interface LiveTable {
  readonly name: string;
  readonly columns: ReadonlyMap<string, LiveColumn>;
  /** Sets of columns that are unique, the primary key first. */
  readonly keys: readonly (readonly string[])[];
  /** False for an engine whose changes cannot be taken back. */
  readonly isTransactional: boolean;
}

/** A foreign key between two tables; one of another schema has it in its name. */
export interface LiveForeignKey {
  readonly table: string;
  readonly columns: readonly string[];
  readonly target: string;
  readonly targetColumns: readonly string[];
  /** True where the database itself sets the reference to null when the row goes. */
  readonly setsNull: boolean;
}

/** What a database's schema holds. */
export interface LiveSchema {
  readonly tables: ReadonlyMap<string, LiveTable>;
  readonly foreignKeys: readonly LiveForeignKey[];
}

interface ColumnRow {
  readonly table_name: string;
  readonly column_name: string;
  readonly type_name: string;
  readonly category: string;
  readonly is_nullable: string;
  readonly is_generated: string;
  readonly ignores_case: string;
}
interface KeyRow {
  readonly table_name: string;
  readonly key_name: string;
  readonly column_name: string;
}
interface ForeignKeyRow {
  readonly key_name: string;
  readonly table_name: string;
  readonly column_name: string;
  readonly target_name: string;
  readonly target_column: string;
  readonly sets_null: string;
}
interface TableRow {
  readonly table_name: string;
  readonly is_transactional: string;
}

/** Reads the tables, keys and foreign keys of the session's schema. What the login may not see of a MySQL database is not in it. */
export async function readLiveSchema(session: Session): Promise<LiveSchema> {
  return session.transaction(async (tx) => {
    const read = session.dialect === 'postgres' ? await readPostgres(tx, session.schema) : await readMysql(tx, session.schema);
    return assemble(read);
  }, 'read only');
}

interface Read {
  readonly tables: readonly TableRow[];
  readonly columns: readonly ColumnRow[];
  readonly keys: readonly KeyRow[];
  readonly foreignKeys: readonly ForeignKeyRow[];
}

function assemble({ tables, columns, keys, foreignKeys }: Read): LiveSchema {
  const columnsOf = groupBy(columns, (each) => each.table_name);
  const keysOf = groupBy(keys, (each) => each.table_name);
  return {
    tables: new Map(
      tables.map(({ table_name: name, is_transactional: isTransactional }) => [
        name,
        {
          name,
          isTransactional: isTrue(isTransactional),
          columns: new Map((columnsOf.get(name) ?? []).map((each) => [each.column_name, liveColumn(each)])),
          keys: [...groupBy(keysOf.get(name) ?? [], (each) => each.key_name).values()].map((of) => of.map((each) => each.column_name)),
        },
      ]),
    ),
    foreignKeys: [...groupBy(foreignKeys, (each) => JSON.stringify([each.table_name, each.key_name])).values()].map((of) => ({
      table: of[0]?.table_name ?? '',
      columns: of.map((each) => each.column_name),
      target: of[0]?.target_name ?? '',
      targetColumns: of.map((each) => each.target_column),
      setsNull: isTrue(of[0]?.sets_null),
    })),
  };
}

/** Booleans come as text, in each database's own way. */
const isTrue = (text: string | undefined): boolean => text === 't' || text === '1';

function liveColumn(row: ColumnRow): LiveColumn {
  return {
    name: row.column_name,
    type: row.type_name,
    kind: row.category === 'A' ? 'array' : (kinds[row.type_name.toLowerCase()] ?? (row.category === 'S' || row.category === 'E' ? 'text' : 'other')),
    isNullable: isTrue(row.is_nullable),
    isGenerated: isTrue(row.is_generated),
    ignoresCase: isTrue(row.ignores_case),
  };
}

const named = (kind: ValueKind, ...types: readonly string[]): Readonly<Record<string, ValueKind>> => Object.fromEntries(types.map((type) => [type, kind]));

const kinds: Readonly<Record<string, ValueKind>> = {
  ...named('integer', 'int2', 'int4', 'int8', 'tinyint', 'smallint', 'mediumint', 'int', 'integer', 'bigint', 'year'),
  ...named('number', 'numeric', 'decimal', 'float4', 'float8', 'float', 'double'),
  ...named('boolean', 'bool'),
  ...named('json', 'json', 'jsonb'),
  ...named('binary', 'bytea', 'binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob', 'bit', 'geometry'),
  ...named('uuid', 'uuid'),
  ...named('date', 'date'),
  ...named('time', 'timestamp', 'timestamptz', 'datetime'),
  ...named('text', 'text', 'varchar', 'bpchar', 'char', 'citext', 'name', 'tinytext', 'mediumtext', 'longtext', 'enum', 'set'),
};

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

async function readPostgres(tx: Tx, schema: string): Promise<Read> {
  // The catalogue and not information_schema, which leaves out what the login has no right to: references from there would not be seen.
  const tables = await sql<TableRow>`
    select c.relname as table_name, true as is_transactional from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${schema} and c.relkind in ('r', 'p') and not c.relispartition order by c.relname`.execute(tx);
  const columns = await sql<ColumnRow>`
    select c.relname as table_name, a.attname as column_name, coalesce(b.typname, t.typname) as type_name, coalesce(b.typcategory, t.typcategory) as category,
      not (a.attnotnull or t.typnotnull) as is_nullable, (a.attgenerated <> '' or a.attidentity = 'a') as is_generated, coalesce(b.typname, t.typname) = 'citext' as ignores_case
    from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_type t on t.oid = a.atttypid left join pg_catalog.pg_type b on t.typtype = 'd' and b.oid = t.typbasetype
    where n.nspname = ${schema} and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped order by c.relname, a.attnum`.execute(tx);
  const keys = await sql<KeyRow>`
    select c.relname as table_name, i.indexrelid::text as key_name, a.attname as column_name
    from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      cross join lateral unnest(i.indkey::int2[]) with ordinality as k(attnum, place) join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
    where n.nspname = ${schema} and i.indisunique and i.indpred is null and i.indexprs is null and k.place <= i.indnkeyatts
    order by c.relname, i.indisprimary desc, i.indexrelid, k.place`.execute(tx);
  const foreignKeys = await sql<ForeignKeyRow>`
    select f.oid::text as key_name, case when n.nspname = ${schema} then c.relname else n.nspname || '.' || c.relname end as table_name, a.attname as column_name,
      r.relname as target_name, b.attname as target_column, f.confdeltype in ('n', 'd') as sets_null
    from pg_catalog.pg_constraint f join pg_catalog.pg_class c on c.oid = f.conrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_class r on r.oid = f.confrelid join pg_catalog.pg_namespace m on m.oid = r.relnamespace
      cross join lateral unnest(f.conkey, f.confkey) with ordinality as k(attnum, target_attnum, place)
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum join pg_catalog.pg_attribute b on b.attrelid = r.oid and b.attnum = k.target_attnum
    where f.contype = 'f' and f.conparentid = 0 and m.nspname = ${schema} and not c.relispartition order by f.oid, k.place`.execute(tx);
  return { tables: tables.rows, columns: columns.rows, keys: keys.rows, foreignKeys: foreignKeys.rows };
}

async function readMysql(tx: Tx, schema: string): Promise<Read> {
  const tables = await sql<TableRow>`
    select table_name as table_name, (coalesce(engine, '') in ('InnoDB', 'TokuDB', 'ROCKSDB', 'ndbcluster')) as is_transactional
    from information_schema.tables where table_schema = ${schema} and table_type = 'BASE TABLE' order by table_name`.execute(tx);
  const columns = await sql<ColumnRow>`
    select table_name as table_name, column_name as column_name, data_type as type_name,
      case when character_set_name is null then '' else 'S' end as category, (is_nullable = 'YES') as is_nullable,
      (coalesce(generation_expression, '') <> '') as is_generated, (coalesce(collation_name, '') like '%\\_ci') as ignores_case
    from information_schema.columns where table_schema = ${schema} order by table_name, ordinal_position`.execute(tx);
  const keys = await sql<KeyRow>`
    select table_name as table_name, index_name as key_name, column_name as column_name from information_schema.statistics
    where table_schema = ${schema} and non_unique = 0 and sub_part is null and column_name is not null order by table_name, index_name <> 'PRIMARY', index_name, seq_in_index`.execute(tx);
  const foreignKeys = await sql<ForeignKeyRow>`
    select k.constraint_name as key_name, case when k.table_schema = ${schema} then k.table_name else concat(k.table_schema, '.', k.table_name) end as table_name,
      k.column_name as column_name, k.referenced_table_name as target_name, k.referenced_column_name as target_column, (r.delete_rule in ('SET NULL', 'SET DEFAULT')) as sets_null
    from information_schema.key_column_usage k join information_schema.referential_constraints r on r.constraint_schema = k.constraint_schema and r.constraint_name = k.constraint_name
      and r.table_name = k.table_name
    where k.referenced_table_schema = ${schema} order by table_name, key_name, k.ordinal_position`.execute(tx);
  const json = await readMariadbJson(tx, schema);
  const typed = columns.rows.map((each) => (json.has(JSON.stringify([each.table_name, each.column_name])) ? { ...each, type_name: 'json' } : each));
  return { tables: tables.rows, columns: typed, keys: keys.rows, foreignKeys: foreignKeys.rows };
}

/** MariaDB's JSON is text with a check; its columns, by table and name. MySQL has a type of its own. */
async function readMariadbJson(tx: Tx, schema: string): Promise<ReadonlySet<string>> {
  const { rows: versions } = await sql<{ readonly version: string }>`select version() as version`.execute(tx);
  if (!/mariadb/iu.test(versions[0]?.version ?? '')) return new Set();
  const { rows } = await sql<{ readonly table_name: string; readonly clause: string }>`
    select table_name as table_name, check_clause as clause from information_schema.check_constraints where constraint_schema = ${schema} and check_clause like 'json\\_valid(%'`.execute(tx);
  return new Set(rows.map((row) => JSON.stringify([row.table_name, /^json_valid\(`(.+)`\)$/u.exec(row.clause)?.[1] ?? ''])));
}
