import { sql, type RawBuilder } from 'kysely';
import pg from 'pg';
import type { LiveColumn } from './live-schema.ts';
import { parseTime } from './duration.ts';
import type { Dialect } from './open-database.ts';

/**
 * Two writings of one value meet here: `0.50` and `0.5`, `t` and `true`, `{"a":1}` and `{ "a": 1 }`. Null is null.
 */
export function canonical(column: LiveColumn, text: string | null): string | null {
  if (text === null) return null;
  switch (column.kind) {
    case 'integer':
      return text.trim() === 'true' ? '1' : text.trim() === 'false' ? '0' : /^-?\d+$/u.test(text.trim()) ? BigInt(text.trim()).toString() : text;
    case 'number':
      return Number.isFinite(Number(text)) ? (text.includes('.') ? text.replace(/\.?0+$/u, '') : text) : text;
    case 'boolean':
      return /^(?:t|true|1)$/u.test(text) ? 'true' : /^(?:f|false|0)$/u.test(text) ? 'false' : text;
    case 'json':
      return canonicalJson(text);
    case 'date':
      return text.slice(0, 10);
    case 'time': {
      const time = parseTime(text);
      return time === undefined ? text : new Date(time).toISOString();
    }
    case 'uuid':
      return text.toLowerCase();
    case 'text':
      return column.type === 'bpchar' || column.type === 'char' ? text.trimEnd() : text;
    case 'binary':
    case 'array':
    case 'other':
      return text;
  }
}

function canonicalJson(text: string): string {
  try {
    return JSON.stringify(sorted(JSON.parse(text)));
  } catch {
    return text;
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([name, each]) => [name, sorted(each)]));
}

/** The column in a select list, as text: bytes of MySQL as hexadecimal digits, which PostgreSQL writes by itself. */
export function selected(dialect: Dialect, column: LiveColumn, table: string): RawBuilder<unknown> {
  const name = sql.id(table, column.name);
  return dialect === 'mysql' && column.kind === 'binary' ? sql`hex(${name}) as ${sql.id(column.name)}` : sql`${name}`;
}

/**
 * A value as a parameter of its column's own type; undefined for a text that cannot be one. MySQL would take `12abc` for the number 12, and so another
 * person for this one.
 */
export function parameter(dialect: Dialect, column: LiveColumn, text: string): RawBuilder<unknown> | undefined {
  if (column.kind === 'integer') return fitsInteger(column, text) ? (dialect === 'mysql' ? sql`${BigInt(text)}` : sql`${text}`) : undefined;
  if (column.kind === 'number') return /^-?\d{1,60}(?:\.\d{1,60})?$/u.test(text) ? sql`${text}` : undefined;
  if (column.kind === 'uuid') return /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/iu.test(text) ? sql`${text}` : undefined;
  if (column.kind === 'date' || column.kind === 'time') return /^\d{4}-\d\d-\d\d/u.test(text) ? sql`${text}` : undefined;
  if (dialect === 'mysql' && column.kind === 'binary') return /^(?:[0-9A-F]{2})*$/iu.test(text) ? sql`unhex(${text})` : undefined;
  // A zero byte is no text of PostgreSQL, and in nobody's address.
  return text.includes('\0') ? undefined : sql`${text}`;
}

/** Bits of the integer types that have fewer than 64. An unsigned one may be twice as large; what it is not, the database finds in no row. */
const bitsOf: Readonly<Record<string, bigint>> = { tinyint: 8n, int2: 15n, smallint: 16n, mediumint: 24n, int4: 31n, int: 32n, integer: 32n, int8: 63n };

function fitsInteger(column: LiveColumn, text: string): boolean {
  if (!/^-?\d{1,20}$/u.test(text)) return false;
  const bound = 2n ** (bitsOf[column.type.toLowerCase()] ?? 64n);
  return BigInt(text) < bound && BigInt(text) >= -bound;
}

/** A new value as a parameter, which the database checks as it writes it. */
export function written(dialect: Dialect, column: LiveColumn, text: string | null): RawBuilder<unknown> {
  if (text === null) return sql`null`;
  if (dialect === 'mysql' && column.kind === 'integer' && /^(?:true|false)$/u.test(text)) return sql`${text === 'true' ? 1n : 0n}`;
  return parameter(dialect, column, text) ?? sql`${text}`;
}

/** A value as JSON has it, for exports: numbers that JSON cannot hold exactly stay text, times are ISO 8601, bytes base64. */
export function exported(column: LiveColumn, text: string | null): unknown {
  if (text === null) return null;
  switch (column.kind) {
    case 'integer':
      return Number.isSafeInteger(Number(text)) && !/^(?:int8|bigint)$/u.test(column.type) ? Number(text) : text;
    case 'number':
      return /^(?:float4|float8|float|double)$/u.test(column.type) && Number.isFinite(Number(text)) ? Number(text) : text;
    case 'boolean':
      return canonical(column, text) === 'true';
    case 'json':
      try {
        return JSON.parse(text) as unknown;
      } catch {
        return text;
      }
    case 'time':
      // With the zone where the column has one: what has none says nothing of it.
      return text.replace(' ', 'T').replace(/\+00$/u, 'Z');
    case 'binary':
      return Buffer.from(text.replace(/^\\x/u, ''), 'hex').toString('base64');
    case 'array':
      return textArray(text);
    case 'date':
    case 'uuid':
    case 'text':
    case 'other':
      return text;
  }
}

/** The type whose reader takes any array apart and leaves its elements text: `text[]`. */
const textArrayOid = 1009;
const readerOf = pg.types.getTypeParser as (oid: number) => (text: string) => unknown;
const textArray = (text: string): unknown => readerOf(textArrayOid)(text);
