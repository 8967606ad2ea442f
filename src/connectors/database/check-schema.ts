import type { DatabaseConfig, KeepRule, TableRule } from './config.ts';
import { linksOf, modeOf, readDataMap, splitColumn, unlinksOf, type Finding, type FindingCode, type Hop } from './data-map.ts';
import type { LiveForeignKey, LiveSchema, LiveTable } from './live-schema.ts';

type Add = (code: FindingCode, at: readonly string[], message: string) => void;

/** Finds everything that keeps a data map from being carried out on a database: what is wrong with the map itself, and where the two do not fit. */
export function checkSchema(config: DatabaseConfig, schema: LiveSchema): readonly Finding[] {
  const findings: Finding[] = [...readDataMap(config).findings];
  const add: Add = (code, at, message) => void findings.push({ code, at, message });
  const { subject, tables } = config;
  for (const [table, rule] of Object.entries(tables)) {
    const live = schema.tables.get(table);
    if (live === undefined) add('table-unknown', ['tables', table], `the database has no table ${table}`);
    else checkTable(config, table, rule, live, add);
  }
  const live = schema.tables.get(subject.table);
  for (const column of [subject.key, ...Object.values(subject.identifiers)]) {
    if (live !== undefined && !live.columns.has(column)) add('column-unknown', ['subject'], `${subject.table} has no column ${column}`);
  }
  if (live !== undefined && live.columns.has(subject.key) && !isUnique(live, [subject.key])) add('key-not-unique', ['subject', 'key'], `${subject.table}.${subject.key} is not unique in the database`);
  for (const [field, target] of Object.entries(config.rectify)) {
    const { table, column } = splitColumn(target);
    const towards = schema.tables.get(table);
    if (towards !== undefined && towards.columns.get(column)?.isGenerated !== false) add('column-unknown', ['rectify', field], `${target} is no column that can be written`);
  }
  for (const key of schema.foreignKeys) checkForeignKey(tables, key, add);
  return findings;
}

const isUnique = (live: LiveTable, columns: readonly string[]): boolean => live.keys.some((key) => key.every((each) => columns.includes(each)));

function checkTable(config: DatabaseConfig, table: string, rule: TableRule, live: LiveTable, add: Add): void {
  const at = ['tables', table];
  const mode = modeOf(rule);
  if (!live.isTransactional) add('not-transactional', at, `${table} is of an engine without transactions`);
  const targets = [...linksOf(rule), ...unlinksOf(rule)];
  const exported = typeof rule.export === 'object' ? rule.export.omit : [];
  const named = new Set([...(rule.key ?? []), ...targets.flatMap((each) => each.columns), ...Object.keys(rule.columns ?? {}), ...rule.not_personal, ...exported, ...datesOf(rule)]);
  for (const column of named) if (!live.columns.has(column)) add('column-unknown', at, `${table} has no column ${column}`);
  if (rule.key !== undefined && !isUnique(live, rule.key)) add('key-not-unique', [...at, 'key'], `${table} has no unique index on ${rule.key.join(', ')} or a part of it`);
  for (const column of rule.key ?? []) if (live.columns.get(column)?.isNullable === true) add('key-not-unique', [...at, 'key'], `${table}.${column} may be null, and is part of its key`);
  checkChanges(rule, table, live, add);
  for (const { columns } of unlinksOf(rule)) {
    if (live.columns.get(columns[0] ?? '')?.isNullable === false) add('not-nullable', [...at, 'unlink'], `${table}.${columns[0]} must have a value, so it cannot be unlinked`);
  }
  if (mode === 'anonymise') checkDecided(config, table, rule, live, add);
}

const datesOf = (rule: TableRule): readonly string[] =>
  [rule.keep, ...Object.values(rule.columns ?? {}).map((each) => (each !== null && 'keep' in each ? each.keep : undefined))].flatMap((each) => each?.from ?? []);

function checkChanges(rule: TableRule, table: string, live: LiveTable, add: Add): void {
  for (const [column, change] of Object.entries(rule.columns ?? {})) {
    const found = live.columns.get(column);
    const place = ['tables', table, 'columns', column];
    if (found?.isGenerated === true) add('column-unknown', place, `${table}.${column} is made by the database and cannot be changed`);
    const becomesNull = change === null || 'keep' in change || ('constant' in change && change.constant === null && found?.kind !== 'json');
    if (becomesNull && found?.isNullable === false) add('not-nullable', place, `${table}.${column} must have a value, so it cannot become null`);
  }
  for (const from of datesOf(rule)) {
    const kind = live.columns.get(from)?.kind;
    if (kind !== undefined && kind !== 'date' && kind !== 'time') add('column-unknown', ['tables', table], `${table}.${from} is no date`);
  }
}

/** Rows stay: of each of their columns must be said what becomes of it. What rows are told apart and found by stays with them. A cut is none: it is of references to the person. */
function checkDecided({ subject }: DatabaseConfig, table: string, rule: TableRule, live: LiveTable, add: Add): void {
  const decided = new Set([...(rule.key ?? []), ...linksOf(rule).flatMap((each) => each.columns), ...Object.keys(rule.columns ?? {}), ...rule.not_personal, ...(table === subject.table ? [subject.key] : [])]);
  for (const column of live.columns.values()) {
    if (!column.isGenerated && !decided.has(column.name)) add('column-undecided', ['tables', table, 'columns', column.name], `nothing says what becomes of ${table}.${column.name}`);
  }
}

function checkForeignKey(tables: DatabaseConfig['tables'], key: LiveForeignKey, add: Add): void {
  const target = tables[key.target];
  if (target === undefined || modeOf(target) === 'untouched') return;
  const rule = tables[key.table];
  const text = `${key.table}.${key.columns.join(', ')} refers to ${key.target}.${key.targetColumns.join(', ')}`;
  if (rule === undefined) {
    add('foreign-key-without-plan', ['tables'], `${text}, and ${key.table} is not in the map`);
    return;
  }
  const at = ['tables', key.table];
  const isCut = unlinksOf(rule).some((each) => each.target === key.target && key.columns.includes(each.columns[0] ?? ''));
  if (isCut) return;
  const mode = modeOf(rule);
  const isLinked = linksOf(rule).some((each) => covers(each, key));
  const rowsGo = modeOf(target) === 'delete' || modeOf(target) === 'keep';
  if (isLinked && rowsGo && mode !== 'delete' && !key.setsNull && !endTogether(rule.keep, target.keep)) add('kept-row-refers-to-deleted', at, `${text}, whose rows are deleted while rows of ${key.table} stay`);
  if (isLinked) return;
  const decided = [...(rule.key ?? []), ...linksOf(rule).flatMap((each) => each.columns), ...Object.keys(rule.columns ?? {}), ...rule.not_personal];
  if (rowsGo || !key.columns.every((each) => decided.includes(each))) add('foreign-key-without-plan', at, `${text}, which is neither a link nor unlinked`);
}

/** True where rows of both end at one moment, whatever they hold. */
function endTogether(one: KeepRule | undefined, other: KeepRule | undefined): boolean {
  return one !== undefined && other !== undefined && one.from === undefined && other.from === undefined && one.until === other.until && one.for === other.for;
}

/** A link that has every column of the foreign key, to the same table, finds every row that refers to the person's. */
const covers = (link: Hop, key: LiveForeignKey): boolean => link.target === key.target && link.columns.every((column, index) => key.targetColumns[key.columns.indexOf(column)] === link.targetColumns[index]);
