import { sql } from 'kysely';
import { Failure } from '../../connector-kit/index.ts';
import { changesOf, endOfKeep, type ChangeFacts } from './column-change.ts';
import type { ColumnRule, KeepRule, TableRule } from './config.ts';
import type { Stage } from './data-map.ts';
import type { Row, Session, Tx } from './open-database.ts';
import { hasKey, keyOf, keyValues, readPersonRows } from './person-rows.ts';
import { tableOf, type Subject } from './subject.ts';
import type { System } from './system.ts';
import { selected, written } from './values.ts';

/** Rows of one transaction. Small, so that the application does not wait for them. */
export const batchRows = 500;

/** Something that is kept by law: what, why, how many, and until when at the latest. */
export interface Kept {
  readonly what: string;
  readonly legalBasis: string;
  readonly count: number;
  readonly until: number;
}

/** What is to be done to one page of rows, decided before anything is. */
export interface Batch {
  readonly rows: number;
  readonly deletes: readonly (readonly string[])[];
  readonly updates: readonly { readonly changes: ReadonlyMap<string, string | null>; readonly keys: readonly (readonly string[])[] }[];
  /** Rows that stay by law. */
  readonly keptRows: number;
  readonly kept: readonly Kept[];
  /** The last row's key; undefined where there was none. */
  readonly last: readonly string[] | undefined;
}

/** How many rows a batch changes. */
export const updatesOf = (batch: Batch): number => batch.updates.reduce((sum, each) => sum + each.keys.length, 0);

/** What happens to the rows of a stage, and which of their columns that depends on. */
interface Treatment {
  readonly deletes: boolean;
  readonly keep: KeepRule | undefined;
  readonly rules: Readonly<Record<string, ColumnRule>>;
}

function treatmentOf(rule: TableRule, stage: Stage): Treatment {
  if (stage.unlink !== undefined) return { deletes: false, keep: undefined, rules: { [stage.unlink]: null } };
  return { deletes: rule.erase === 'delete', keep: rule.keep, rules: rule.columns ?? {} };
}

/** Reads and locks the next page of the person's rows in a stage, and decides on each. */
export async function planBatch(tx: Tx, session: Session, system: System, stage: Stage, subject: Subject, facts: Omit<ChangeFacts, 'subjectId'>, page: { readonly after: readonly string[] | undefined; readonly locks: boolean }): Promise<Batch> {
  const treatment = treatmentOf(ruleOf(system, stage), stage);
  const rows = await readPersonRows(tx, session, system, stage, subject, { ...page, limit: batchRows, columns: columnsOf(treatment) });
  return decide(system, stage, treatment, rows, { ...facts, subjectId: subject[system.config.subject.key] ?? undefined });
}

function ruleOf({ config }: System, { table }: Stage): TableRule {
  const rule = config.tables[table];
  if (rule === undefined) throw new Error('A stage is of a table that is not in the map');
  return rule;
}

function columnsOf({ keep, rules }: Treatment): readonly string[] {
  const froms = [keep, ...Object.values(rules).map((each) => (each !== null && 'keep' in each ? each.keep : undefined))].flatMap((each) => each?.from ?? []);
  return [...Object.keys(rules), ...froms];
}

function decide(system: System, stage: Stage, { deletes, keep, rules }: Treatment, rows: readonly Row[], facts: ChangeFacts): Batch {
  const key = keyOf(system, stage.table);
  const { columns } = tableOf(system.schema.tables, stage.table);
  const gone: (readonly string[])[] = [];
  const updates = new Map<string, { changes: ReadonlyMap<string, string | null>; keys: (readonly string[])[] }>();
  let kept: readonly Kept[] = [];
  let keptRows = 0;
  for (const row of rows) {
    const end = keep === undefined ? undefined : endOfKeep(keep, row, facts);
    if (deletes || (end !== undefined && end <= facts.now)) {
      gone.push(keyValues(key, row));
      continue;
    }
    if (end !== undefined) keptRows += 1;
    if (keep !== undefined && end !== undefined) kept = addKept(kept, { what: stage.table, legalBasis: keep.legal_basis ?? '', count: 1, until: end });
    const changes = changesOf(rules, columns, row, facts);
    for (const [name, rule] of Object.entries(rules)) {
      if (rule === null || !('keep' in rule) || changes.has(name) || (row[name] ?? null) === null) continue;
      kept = addKept(kept, { what: `${stage.table}_${name}`, legalBasis: rule.keep.legal_basis ?? '', count: 1, until: endOfKeep(rule.keep, row, facts) });
    }
    if (changes.size === 0) continue;
    const same = JSON.stringify([...changes]);
    const group = updates.get(same) ?? { changes, keys: [] };
    group.keys.push(keyValues(key, row));
    updates.set(same, group);
  }
  const last = rows.at(-1);
  return { rows: rows.length, deletes: gone, updates: [...updates.values()], keptRows, kept, last: last === undefined ? undefined : keyValues(key, last) };
}

/** Puts together what is kept for the same reason: how many, and the latest end. */
export function addKept(all: readonly Kept[], one: Kept): readonly Kept[] {
  const at = all.findIndex((each) => each.what === one.what && each.legalBasis === one.legalBasis);
  if (at < 0) return [...all, one];
  return all.map((each, index) => (index === at ? { ...each, count: each.count + one.count, until: Math.max(each.until, one.until) } : each));
}

/** Does what a batch decided. Fails with `VENDOR_INCONSISTENT`, which takes the transaction back, where the database changes fewer rows than it was told to. */
export async function applyBatch(tx: Tx, session: Session, system: System, stage: Stage, batch: Batch): Promise<void> {
  const live = tableOf(system.schema.tables, stage.table);
  const key = keyOf(system, stage.table);
  const table = sql.id(session.schema, live.name);
  const { dialect } = session;
  if (batch.deletes.length > 0) {
    const { numAffectedRows } = await sql`delete from ${table} where ${hasKey(dialect, live, key, batch.deletes)}`.execute(tx);
    sawAll(stage.table, numAffectedRows, batch.deletes.length);
  }
  for (const { changes, keys } of batch.updates) {
    const sets = [...changes].flatMap(([name, text]) => {
      const column = live.columns.get(name);
      return column === undefined ? [] : [sql`${sql.id(name)} = ${written(dialect, column, text)}`];
    });
    const { numAffectedRows } = await sql`update ${table} set ${sql.join(sets)} where ${hasKey(dialect, live, key, keys)}`.execute(tx);
    sawAll(stage.table, numAffectedRows, keys.length);
  }
}

function sawAll(table: string, affected: bigint | undefined, expected: number): void {
  if (affected !== BigInt(expected)) throw new Failure('VENDOR_INCONSISTENT', `The database changed ${affected ?? 0n} of ${expected} rows of ${table}: a trigger or a rule of its own keeps the others`);
}

/**
 * True where the row that a batch would have changed first has been: it is gone, or nothing of it has to change any more. So the batch was committed.
 * The row is locked, since the transaction of a process that died may be on its way still.
 */
export async function isApplied(tx: Tx, session: Session, system: System, stage: Stage, subject: Subject, facts: Omit<ChangeFacts, 'subjectId'>, first: { readonly key: readonly string[]; readonly how: 'delete' | 'update' }): Promise<boolean> {
  const live = tableOf(system.schema.tables, stage.table);
  const key = keyOf(system, stage.table);
  const treatment = treatmentOf(ruleOf(system, stage), stage);
  const names = [...new Set([...key, ...columnsOf(treatment)])].flatMap((each) => live.columns.get(each) ?? []);
  const { rows } = await sql<Row>`select ${sql.join(names.map((each) => selected(session.dialect, each, live.name)))}
    from ${sql.id(session.schema, live.name)} where ${hasKey(session.dialect, live, key, [first.key])} for update`.execute(tx);
  const [row] = rows;
  if (row === undefined || first.how === 'delete') return row === undefined;
  return changesOf(treatment.rules, live.columns, row, { ...facts, subjectId: subject[system.config.subject.key] ?? undefined }).size === 0;
}
