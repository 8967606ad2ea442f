import { createHmac } from 'node:crypto';
import { identifierKindSchema, type Identifier, type IdentifierKind } from '../../contract/identifiers.ts';
import { open, seal } from '../../platform/crypto/envelope.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';
import { tablesOf, type Database } from '../../platform/db/database.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import { readCsv, type CsvRecord } from './domain/csv.ts';
import { normalise, type NormalForm } from './domain/normal-forms.ts';
import { insertMapping, lookupText, mappingCells, mappingRowsWith, type MappingRow } from './store.ts';
import type { IdentityTables } from './tables.ts';

/** What the mapping needs. */
export interface MappingDeps {
  readonly database: Database;
  readonly systemKeys: SystemKeys;
  /** ISO 3166: for phone numbers without a country code. */
  readonly defaultCountry: string;
}

/** What the mapping knows of a person beside what was asked by, and the rows that say so, for shredding. */
export interface MappingClosure {
  readonly identifiers: readonly Identifier[];
  readonly rowIds: readonly string[];
}

/** The imported table of which identifiers belong to one person. */
export interface Mapping {
  /**
   * Imports CSV whose columns are identifier kinds, and answers how many rows it read. Each 1,000 rows commit together; importing a file
   * again changes nothing. Fails with `VALIDATION_FAILED` that names the line and the column, never the value; what came before the
   * 1,000 rows of that line stays.
   */
  readonly importCsv: (pieces: AsyncIterable<string> | Iterable<string>) => Promise<{ readonly rows: number }>;
  /**
   * Closes over identifiers: rows that hold one of them, the identifiers of those rows, and so on until nothing new appears.
   * Fails with `SUBJECT_AMBIGUOUS` when that reaches over 100 rows: a value that so many rows share (a switchboard's number) names no person.
   */
  readonly lookup: (identifiers: readonly Identifier[]) => Promise<MappingClosure>;
}

const rowsAtOnce = 1000;
const closureRowsMax = 100;

const cellContext = (rowId: string, kind: IdentifierKind): string => `identity_mapping:${rowId}:${kind}`;

/** Reads the header: at least two different kinds, since one alone maps nothing. */
function readHeader(record: CsvRecord | undefined): readonly IdentifierKind[] {
  const known = identifierKindSchema.options.join(', ');
  const kinds = (record?.cells ?? []).map((cell, index) => {
    const kind = identifierKindSchema.safeParse(cell.trim());
    if (!kind.success) throw new Failure('VALIDATION_FAILED', `line ${record?.line ?? 1}, column ${index + 1}: must be one of ${known}`);
    return kind.data;
  });
  if (kinds.length < 2 || new Set(kinds).size !== kinds.length) {
    throw new Failure('VALIDATION_FAILED', `line ${record?.line ?? 1}: the header must name at least two different columns of ${known}`);
  }
  return kinds;
}

/** A UUID (version 8, RFC 9562) made of what the row says, so that the same row has the same id in every import. */
function rowIdOf(key: Buffer, cells: readonly Identifier[]): string {
  const text = cells.map(lookupText).toSorted().join('\n');
  const bytes = createHmac('sha256', key).update('row id\n').update(text, 'utf8').digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Makes the mapping. */
export function createMapping(deps: MappingDeps): Mapping {
  const { database, systemKeys } = deps;

  const readRow = (kinds: readonly IdentifierKind[], record: CsvRecord): MappingRow[] => {
    if (record.cells.length !== kinds.length) {
      throw new Failure('VALIDATION_FAILED', `line ${record.line}: has ${record.cells.length} cells and the header ${kinds.length}`);
    }
    const cells: ({ kind: IdentifierKind } & NormalForm)[] = [];
    for (const [index, kind] of kinds.entries()) {
      const text = record.cells[index] ?? '';
      if (text.trim() === '') continue;
      try {
        cells.push({ kind, ...normalise(kind, text, { defaultCountry: deps.defaultCountry, field: kind }) });
      } catch (error) {
        if (!isFailure(error)) throw error;
        throw new Failure('VALIDATION_FAILED', `line ${record.line}, column ${error.detail}`, { cause: error });
      }
    }
    const key = systemKeys.get('mapping');
    const rowId = rowIdOf(key, cells);
    return cells.map(({ kind, ...form }) => ({
      row_id: rowId,
      kind,
      lookup: systemKeys.mac('lookup', lookupText({ kind, value: form.value })),
      sealed: seal(key, Buffer.from(JSON.stringify(form), 'utf8'), cellContext(rowId, kind)),
    }));
  };

  const store = async (cells: readonly MappingRow[]): Promise<void> => {
    if (cells.length === 0) return;
    await database.transaction(async (tx) => {
      await insertMapping(tablesOf<IdentityTables>(tx), cells);
    });
  };

  return {
    importCsv: async (pieces) => {
      let kinds: readonly IdentifierKind[] | undefined;
      let rows = 0;
      let waiting: MappingRow[] = [];
      for await (const record of readCsv(pieces)) {
        if (kinds === undefined) {
          kinds = readHeader(record);
          continue;
        }
        waiting.push(...readRow(kinds, record));
        rows += 1;
        if (rows % rowsAtOnce === 0) {
          await store(waiting);
          waiting = [];
        }
      }
      if (kinds === undefined) readHeader(undefined);
      await store(waiting);
      return { rows };
    },
    lookup: async (identifiers) => {
      const db = database.read<IdentityTables>();
      const found = new Map<string, Identifier>(identifiers.map((each) => [lookupText(each), each]));
      const rowIds = new Set<string>();
      let asked: readonly Identifier[] = [...found.values()];
      while (asked.length > 0) {
        const lookups = asked.map((each) => systemKeys.mac('lookup', lookupText(each)));
        const reached = await mappingRowsWith(db, lookups, closureRowsMax + 1);
        const fresh = reached.filter((rowId) => !rowIds.has(rowId));
        for (const rowId of fresh) rowIds.add(rowId);
        if (rowIds.size > closureRowsMax) {
          throw new Failure('SUBJECT_AMBIGUOUS', `The mapping joins more than ${closureRowsMax} rows to this person; a value that many people share may be in it`);
        }
        const next: Identifier[] = [];
        for (const cell of fresh.length === 0 ? [] : await mappingCells(db, fresh)) {
          const form = JSON.parse(open(systemKeys.get('mapping'), cell.sealed, cellContext(cell.row_id, cell.kind)).toString('utf8')) as NormalForm;
          const identifier: Identifier = { kind: cell.kind, ...form };
          const text = lookupText(identifier);
          if (found.has(text)) continue;
          found.set(text, identifier);
          next.push(identifier);
        }
        asked = next;
      }
      return { identifiers: [...found.values()].slice(new Set(identifiers.map(lookupText)).size), rowIds: [...rowIds].toSorted() };
    },
  };
}
