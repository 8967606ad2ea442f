import { sql } from 'kysely';
import { Failure } from '../../connector-kit/index.ts';
import type { Identifier, IdentifierKind } from '../../contract/identifiers.ts';
import type { DatabaseConfig } from './config.ts';
import { changesOf, type ChangeFacts } from './column-change.ts';
import { modeOf } from './data-map.ts';
import type { LiveColumn, LiveTable } from './live-schema.ts';
import type { Row, Session, Tx } from './open-database.ts';
import type { System } from './system.ts';
import { parameter, selected } from './values.ts';

/** The values of the person's row by which rows elsewhere are found, kept from before the row is changed. */
export type Subject = Row;

/** More people than this under one identifier are no person. */
const rowsMax = 100;

/** The rows of the subject's table that an identifier finds, with all of their columns; none where no column is for its kind. Fails with `SUBJECT_AMBIGUOUS`. */
export async function findRows(tx: Tx, session: Session, { config, schema }: System, identifier: Identifier): Promise<readonly Row[]> {
  const live = tableOf(schema.tables, config.subject.table);
  const column = live.columns.get(config.subject.identifiers[identifier.kind] ?? '');
  if (column === undefined) return [];
  const spellings = spellingsOf(identifier).flatMap((each) => parameter(session.dialect, column, each) ?? []);
  if (spellings.length === 0) return [];
  const name = sql.id('t', column.name);
  // An address is the same in whatever case it was stored, and only an index on lower(…) keeps that quick.
  const exactly = sql`${name} in (${sql.join(spellings)})`;
  const fits = identifier.kind === 'email' && column.kind === 'text' && !column.ignoresCase ? sql`(${exactly} or lower(${name}) = ${identifier.value.toLowerCase()})` : exactly;
  const { rows } = await sql<Row>`
    select ${sql.join([...live.columns.values()].map((each) => selected(session.dialect, each, 't')))} from ${sql.id(session.schema, live.name)} as t
    where ${fits} order by ${sql.id('t', config.subject.key)} limit ${sql.lit(rowsMax + 1)}`.execute(tx);
  if (rows.length > rowsMax) throw new Failure('SUBJECT_AMBIGUOUS', `An identifier finds more than ${rowsMax} rows of ${live.name}`);
  return rows.filter((row) => isSame(identifier, column, row[column.name] ?? null));
}

/** The table as the database has it. Fails with `CONFIG_INVALID` where it is not there. */
export function tableOf(tables: ReadonlyMap<string, LiveTable>, name: string): LiveTable {
  const found = tables.get(name);
  if (found === undefined) throw new Failure('CONFIG_INVALID', `The database has no table ${name}`);
  return found;
}

/** The normal form, and the spelling that was given. A phone as given counts only with its country code: without it the digits may be somebody else's. */
function spellingsOf({ kind, value, raw }: Identifier): readonly string[] {
  const given = raw?.trim() ?? '';
  return given !== '' && given !== value && (kind !== 'phone' || given.startsWith('+')) ? [value, given] : [value];
}

/** What a database takes for the same may be two: MySQL's usual collations compare without accents, so `ada@` and `ádá@` are one to them. */
function isSame({ kind, value, raw }: Identifier, column: LiveColumn, stored: string | null): boolean {
  if (stored === null) return false;
  if (column.kind !== 'text') return true;
  if (kind === 'email') return stored.trim().normalize('NFC').toLowerCase() === value.toLowerCase();
  return stored === value || stored === raw?.trim();
}

/** What is kept of the person's row to find the others by. */
export function subjectOf(system: System, row: Row): Subject {
  return Object.fromEntries(system.map.subjectColumns.map((column) => [column, row[column] ?? null]));
}

/** What is known of a person of whom there is no row, where rows elsewhere are found by this very kind; undefined otherwise. */
export function subjectWithoutRow({ config, map }: System, { kind, value }: Identifier): Subject | undefined {
  const column = config.subject.identifiers[kind];
  return column !== undefined && map.subjectColumns.includes(column) ? { [column]: value } : undefined;
}

/** True for a row in which nothing of the person is left. */
export function isAnonymised({ config, schema }: System, row: Row, facts: Omit<ChangeFacts, 'subjectId'>): boolean {
  const rule = config.tables[config.subject.table];
  if (rule === undefined || modeOf(rule) !== 'anonymise') return false;
  return changesOf(rule.columns ?? {}, tableOf(schema.tables, config.subject.table).columns, row, { ...facts, subjectId: row[config.subject.key] ?? undefined }).size === 0;
}

/** Every identifier that a row holds, in normal form; what is not one is left out, since handed on it could meet another person elsewhere. */
export function identifiersOf({ config }: System, row: Row): readonly Identifier[] {
  return (Object.entries(config.subject.identifiers) as [IdentifierKind, string][]).flatMap(([kind, column]) => normalForm(kind, row[column] ?? null) ?? []);
}

function normalForm(kind: IdentifierKind, stored: string | null): Identifier | undefined {
  const text = stored?.trim() ?? '';
  if (text === '') return undefined;
  if (kind === 'email') return /^[^\s@]+@[^\s@]+$/u.test(text) ? spelled(kind, text.normalize('NFC').toLowerCase(), text) : undefined;
  if (kind !== 'phone') return { kind, value: text };
  const digits = text.replaceAll(/[\s().-]/gu, '');
  return /^\+[1-9]\d{6,14}$/u.test(digits) ? spelled(kind, digits, text) : undefined;
}

const spelled = (kind: IdentifierKind, value: string, raw: string): Identifier => (value === raw ? { kind, value } : { kind, value, raw });

/** The kind whose values are the subject's key, where there is one. */
export function keyKind({ subject }: Pick<DatabaseConfig, 'subject'>): IdentifierKind | undefined {
  return (Object.entries(subject.identifiers) as [IdentifierKind, string][]).find(([, column]) => column === subject.key)?.[0];
}
