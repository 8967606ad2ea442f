import type { DatabaseConfig, KeepRule, TableRule } from './config.ts';

/** Something that keeps a data map from being used: a code for machines, a place in the connection, a sentence. */
export interface Finding {
  readonly code: FindingCode;
  readonly at: readonly string[];
  readonly message: string;
}

/** What can be wrong with a data map, and why that is refused. */
export const findingCodes = {
  'table-without-key': 'Without a key a table cannot be gone through in batches, nor taken up again after a crash.',
  'table-without-plan': 'A table needs a plan: its rows are deleted, kept by law, or stay with changed columns.',
  'table-without-link': 'Without a link nobody can tell which rows are the person’s.',
  'link-unknown': 'A link leads to a table or a column that is not there.',
  cycle: 'Tables that refer to each other in a circle have no order in which they could be erased.',
  'too-many-paths': 'So many ways lead to a table that each row would be looked for again and again.',
  'foreign-key-without-plan': 'The database refers to rows of the person from where the map says nothing: their deletion would fail, or leave data behind.',
  'column-undecided': 'Rows stay, and nothing says what becomes of this column: it would be kept in silence.',
  'column-unknown': 'The map names a column that the table does not have, or one that cannot be changed.',
  'table-unknown': 'The map names a table that the database does not have.',
  'keep-without-basis': 'What is kept needs the law that wants it.',
  'keep-without-end': 'What is kept needs an end.',
  'kept-row-refers-to-deleted': 'A row that stays would refer to one that is deleted.',
  'key-changed': 'A key, or what other rows are found by, cannot be changed.',
  'key-is-personal': 'A key that is an address stays for as long as its row does.',
  'key-not-unique': 'The key of the map is not unique in the database.',
  'not-nullable': 'A column that must have a value cannot become null.',
  'not-transactional': 'A table of this engine knows no transactions: nothing could be taken back.',
  'mask-unknown': 'A mask has a placeholder that does not exist.',
  'hash-without-key': 'A hash without a key can be tried out: set hash_key.',
} as const;
/** What can be wrong with a data map. */
export type FindingCode = keyof typeof findingCodes;

/** One step from a table towards the person: these columns have the values of those of the next table. */
export interface Hop {
  readonly columns: readonly string[];
  readonly target: string;
  readonly targetColumns: readonly string[];
}

/** A way from a table to the person's row; empty for the subject's own table. */
export type Path = readonly Hop[];

/** What happens to a table's rows of the person. `untouched`: nothing; it is in the map for its references. */
export type TableMode = 'delete' | 'keep' | 'anonymise' | 'untouched';

/** One pass over the person's rows of one table, found in one way. `unlink`: the rows lose a reference and nothing else. */
export interface Stage {
  readonly table: string;
  readonly path: Path;
  /** Ways by which an earlier stage found rows of this table: these rows are not looked at again. */
  readonly earlier: readonly Path[];
  readonly unlink?: string;
}

/** A data map that was read: what is wrong with it, and the passes of an erasure in their order. */
export interface DataMap {
  readonly findings: readonly Finding[];
  /** Children before parents, the subject's own table last; references are cut first. Empty where something is wrong. */
  readonly stages: readonly Stage[];
  /** The subject's columns by which it, or something of the person elsewhere, is found. */
  readonly subjectColumns: readonly string[];
}

const pathsMax = 20;
const placeholders: readonly string[] = ['partial_id', 'id'];

/** Says what happens to a table's rows; undefined where nothing or several things are said. */
export function modeOf(rule: TableRule): TableMode | undefined {
  const said = [rule.erase === 'delete', rule.keep !== undefined, rule.keep === undefined && rule.columns !== undefined];
  if (said.filter(Boolean).length > 1) return undefined;
  if (said[0]) return 'delete';
  if (said[1]) return 'keep';
  if (said[2]) return 'anonymise';
  return rule.link === undefined && (rule.unlink !== undefined || rule.not_personal.length > 0) ? 'untouched' : undefined;
}

/** The ways in which a table's rows are linked, each with all of its columns. */
export function linksOf(rule: TableRule): readonly Hop[] {
  const maps = rule.link === undefined ? [] : Array.isArray(rule.link) ? rule.link : [rule.link];
  return maps.map((map) => {
    const targets = Object.values(map).map(splitColumn);
    return { columns: Object.keys(map), target: targets[0]?.table ?? '', targetColumns: targets.map((each) => each.column) };
  });
}

/** The references of a table that are cut, one column each. */
export function unlinksOf(rule: TableRule): readonly Hop[] {
  return Object.entries(rule.unlink ?? {}).map(([column, target]) => {
    const { table, column: targetColumn } = splitColumn(target);
    return { columns: [column], target: table, targetColumns: [targetColumn] };
  });
}

/** Splits `users.email`. */
export function splitColumn(text: string): { readonly table: string; readonly column: string } {
  const [table = '', column = ''] = text.split('.');
  return { table, column };
}

/** Reads the data map of a connection: finds everything that is wrong with it and can be known without the database, and puts its tables in order. */
export function readDataMap(config: Pick<DatabaseConfig, 'subject' | 'tables' | 'hash_key' | 'rectify'>): DataMap {
  const findings: Finding[] = [];
  const add = (code: FindingCode, at: readonly string[], message: string): void => void findings.push({ code, at, message });
  const { subject, tables } = config;
  if (tables[subject.table] === undefined) add('table-unknown', ['subject', 'table'], `the subject's table ${subject.table} is not among the tables of the map`);
  for (const [table, rule] of Object.entries(tables)) {
    checkTable(config, table, rule, add);
  }
  for (const [field, target] of Object.entries(config.rectify)) {
    if (tables[splitColumn(target).table] === undefined) add('table-unknown', ['rectify', field], `${target} is in no table of the map`);
  }
  const circle = circleOf(tables, subject.table);
  if (circle !== undefined) add('cycle', ['tables', circle[0] ?? '', 'link'], `${circle.join(' → ')} is a circle; unlink one of the references`);
  if (findings.length > 0) return { findings, stages: [], subjectColumns: [] };
  const { stages, crowded } = stagesOf(config);
  for (const table of crowded) add('too-many-paths', ['tables', table, 'link'], `more than ${pathsMax} ways lead from ${table} to the person`);
  return { findings, stages: findings.length > 0 ? [] : stages, subjectColumns: subjectColumnsOf(config) };
}

type Add = (code: FindingCode, at: readonly string[], message: string) => void;

function checkTable({ subject, tables, hash_key: hashKey }: Pick<DatabaseConfig, 'subject' | 'tables' | 'hash_key'>, table: string, rule: TableRule, add: Add): void {
  const at = ['tables', table];
  const mode = modeOf(rule);
  if (mode === undefined) add('table-without-plan', at, `${table} must have exactly one of erase: delete, keep, columns`);
  if (rule.key === undefined && (mode !== 'untouched' || rule.unlink !== undefined)) add('table-without-key', [...at, 'key'], `${table} has no key`);
  const isSubject = table === subject.table;
  if (isSubject && rule.link !== undefined) add('cycle', [...at, 'link'], `${table} is where the person is found; it cannot be linked to something else`);
  if (isSubject && mode === 'untouched') add('table-without-plan', at, `${table} is where the person is found, and nothing is done to it`);
  if (!isSubject && rule.link === undefined && mode !== 'untouched' && mode !== undefined) add('table-without-link', [...at, 'link'], `${table} is linked to nothing`);
  if (rule.keep !== undefined) checkKeep(rule.keep, [...at, 'keep'], table, add);
  if (rule.erase === 'delete' && rule.columns !== undefined) add('table-without-plan', [...at, 'columns'], `the rows of ${table} are deleted, so none of its columns can be changed`);
  for (const [column, change] of Object.entries(rule.columns ?? {})) {
    const place = [...at, 'columns', column];
    if (change !== null && 'keep' in change) checkKeep(change.keep, place, `${table}.${column}`, add);
    if (change !== null && 'hash' in change && hashKey === undefined) add('hash-without-key', place, `${table}.${column} is hashed, and there is no hash_key`);
    if (change !== null && 'mask' in change) {
      for (const [, word = ''] of change.mask.matchAll(/\{([a-z_]+)\}/gu)) if (!placeholders.includes(word)) add('mask-unknown', place, `the mask of ${table}.${column} may have {partial_id} and {id} only`);
    }
    if (rule.key?.includes(column) === true) add('key-changed', place, `${table}.${column} is of its key`);
    if (rule.not_personal.includes(column)) add('table-without-plan', place, `${table}.${column} is both changed and not_personal`);
  }
  checkReferences(tables, table, rule, add);
  if (!isSubject || mode === 'delete') return;
  for (const [kind, column] of Object.entries(subject.identifiers)) {
    const stays = rule.key?.includes(column) === true || rule.not_personal.includes(column) || column === subject.key;
    if (stays && (kind === 'email' || kind === 'phone')) add('key-is-personal', [...at, 'columns', column], `${table}.${column} is the person's ${kind}, and stays`);
  }
  if (rule.columns?.[subject.key] !== undefined) add('key-changed', [...at, 'columns', subject.key], `${table}.${subject.key} is what the person's rows are found by`);
}

function checkKeep(keep: KeepRule, at: readonly string[], what: string, add: Add): void {
  if ((keep.legal_basis ?? '') === '') add('keep-without-basis', at, `${what} is kept without a legal_basis`);
  if ((keep.until === undefined) === (keep.for === undefined)) add('keep-without-end', at, `${what} is kept and must have exactly one of until and for`);
  else if (keep.from !== undefined && keep.for === undefined) add('keep-without-end', at, `${what}: from needs for`);
}

function checkReferences(tables: DatabaseConfig['tables'], table: string, rule: TableRule, add: Add): void {
  for (const { columns, target } of [...linksOf(rule), ...unlinksOf(rule)]) {
    const at = ['tables', table];
    const towards = tables[target];
    if (towards === undefined) add('link-unknown', at, `${table}.${columns.join(', ')} leads to ${target}, which is not in the map`);
    else if (modeOf(towards) === 'untouched') add('link-unknown', at, `${table}.${columns.join(', ')} leads to ${target}, of which nothing is the person's`);
  }
  for (const map of rule.link === undefined ? [] : Array.isArray(rule.link) ? rule.link : [rule.link]) {
    if (new Set(Object.values(map).map((each) => splitColumn(each).table)).size !== 1) add('link-unknown', ['tables', table, 'link'], `one link of ${table} must lead to exactly one table; write a list for several`);
  }
}

/** The columns of other tables' links, and the subject's key. */
function subjectColumnsOf({ subject, tables }: Pick<DatabaseConfig, 'subject' | 'tables'>): readonly string[] {
  const hops = Object.values(tables).flatMap((rule) => [...linksOf(rule), ...unlinksOf(rule)]);
  return [...new Set([subject.key, ...hops.flatMap((hop) => (hop.target === subject.table ? hop.targetColumns : []))])];
}

/** A circle of links, or undefined. What is unlinked makes none: it is cut before anything is deleted. */
function circleOf(tables: DatabaseConfig['tables'], subject: string): readonly string[] | undefined {
  const done = new Set<string>([subject]);
  const visit = (table: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(table)) return [...trail.slice(trail.indexOf(table)), table];
    const rule = tables[table];
    if (done.has(table) || rule === undefined) return undefined;
    for (const { target } of linksOf(rule)) {
      const circle = visit(target, [...trail, table]);
      if (circle !== undefined) return circle;
    }
    done.add(table);
    return undefined;
  };
  for (const table of Object.keys(tables)) {
    const circle = visit(table, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

function stagesOf({ subject, tables }: Pick<DatabaseConfig, 'subject' | 'tables'>): { readonly stages: readonly Stage[]; readonly crowded: readonly string[] } {
  const crowded: string[] = [];
  const known = new Map<string, readonly Path[]>([[subject.table, [[]]]]);
  const pathsOf = (table: string): readonly Path[] => {
    const found = known.get(table);
    if (found !== undefined) return found;
    const rule = tables[table];
    const paths = rule === undefined ? [] : linksOf(rule).flatMap((hop) => pathsOf(hop.target).map((rest) => [hop, ...rest]));
    if (paths.length > pathsMax) crowded.push(table);
    known.set(table, paths.slice(0, pathsMax));
    return paths.slice(0, pathsMax);
  };
  const unlinks = Object.entries(tables).flatMap(([table, rule]) =>
    unlinksOf(rule).flatMap((hop) => pathsOf(hop.target).map((rest): Stage => ({ table, path: [hop, ...rest], earlier: [], unlink: hop.columns[0] ?? '' }))),
  );
  const rows = childrenFirst(tables, subject.table).flatMap((table) => pathsOf(table).map((path, at, all): Stage => ({ table, path, earlier: all.slice(0, at) })));
  return { stages: [...unlinks, ...rows], crowded };
}

/** Every table that is linked to the person before the tables that it is linked to. */
function childrenFirst(tables: DatabaseConfig['tables'], subject: string): readonly string[] {
  const parentsFirst: string[] = [];
  const visit = (table: string): void => {
    const rule = tables[table];
    if (parentsFirst.includes(table) || rule === undefined) return;
    for (const { target } of linksOf(rule)) visit(target);
    parentsFirst.push(table);
  };
  visit(subject);
  for (const [table, rule] of Object.entries(tables)) if (modeOf(rule) !== 'untouched') visit(table);
  return parentsFirst.toReversed();
}
