import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import type { Database } from '../../src/platform/db/database.ts';
import { openEmbedded } from '../../src/platform/db/embedded.ts';

/** The forms in which a piece of personal data must be found nowhere, each by what it is called in a finding. */
export interface MarkForms {
  readonly name: string;
  readonly forms: readonly { readonly form: string; readonly bytes: Buffer }[];
}

/** Something to search, and where it was found. */
export interface Place {
  readonly where: string;
  readonly content: string | Uint8Array;
}

/** Base64 of bytes wherever they begin within longer ones: the three alignments, without the characters that the neighbours decide. */
function base64Anywhere(bytes: Buffer): readonly string[] {
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64').replaceAll('=', '');
    const from = offset === 0 ? 0 : offset + 1;
    const whole = Math.floor(((offset + bytes.length) * 8) / 6);
    return encoded.slice(from, whole);
  });
}

/** Percent-encodes every byte that a form's encoder (`encodeURIComponent` leaves more) does not leave alone; a blank is a plus. */
const formEncoded = (text: string): string => new URLSearchParams([['', text]]).toString().slice(1);

/** Gives all the forms of a piece of personal data: plain, lower case, URL-encoded, base64, hex, UTF-16, and hashed without a key. */
export function markForms(name: string, values: readonly string[], kind?: string): MarkForms {
  const forms = new Map<string, string>();
  const add = (form: string, text: string): void => void (text.length >= 6 && !forms.has(text) && forms.set(text, form));
  for (const value of new Set(values.flatMap((each) => [each, each.toLowerCase(), each.normalize('NFD')]))) {
    add('plain', value);
    for (const encoded of [encodeURIComponent(value), formEncoded(value)]) {
      add('url-encoded', encoded);
      add('url-encoded', encoded.replaceAll(/%[0-9A-F]{2}/gu, (each) => each.toLowerCase()));
      add('url-encoded twice', encodeURIComponent(encoded));
    }
    add('JSON', JSON.stringify(value).slice(1, -1));
    const bytes = Buffer.from(value, 'utf8');
    add('hex', bytes.toString('hex'));
    add('hex', bytes.toString('hex').toUpperCase());
    add('utf-16 bytes', Buffer.from(value, 'utf16le').toString('latin1'));
    for (const encoded of base64Anywhere(bytes)) {
      add('base64', encoded);
      add('base64url', encoded.replaceAll('+', '-').replaceAll('/', '_'));
    }
    for (const text of [value, ...(kind === undefined ? [] : [`${kind}:${value}`])]) {
      for (const algorithm of ['sha256', 'sha512', 'sha1', 'md5']) {
        const digest = createHash(algorithm).update(text, 'utf8').digest();
        add(`${algorithm} hex`, digest.toString('hex'));
        add(`${algorithm} base64`, digest.toString('base64').replaceAll('=', ''));
        add(`${algorithm} base64url`, digest.toString('base64url'));
        add(`${algorithm} bytes`, digest.toString('latin1'));
      }
    }
  }
  return { name, forms: [...forms].map(([text, form]) => ({ form, bytes: Buffer.from(text, form.endsWith('bytes') ? 'latin1' : 'utf8') })) };
}

/** Gives the forms of a secret of random bytes: as it is, in hex as PostgreSQL prints it, and in base64. */
export function secretForms(name: string, secret: Uint8Array): MarkForms {
  const bytes = Buffer.from(secret);
  const texts = [['hex', bytes.toString('hex')], ...base64Anywhere(bytes).map((encoded) => ['base64', encoded])] as const;
  return { name, forms: [{ form: 'bytes', bytes }, ...texts.map(([form = '', text = '']) => ({ form, bytes: Buffer.from(text, 'utf8') }))] };
}

interface Searched {
  readonly bytes: Buffer;
  readonly says: string;
}

/** All forms by their first three bytes, and a table of which three bytes those are: one pass over megabytes then finds a thousand forms. */
interface MarkIndex {
  readonly starts: Uint8Array;
  readonly forms: ReadonlyMap<number, readonly Searched[]>;
}
const indexes = new WeakMap<readonly MarkForms[], MarkIndex>();

function indexOf(marks: readonly MarkForms[]): MarkIndex {
  const known = indexes.get(marks);
  if (known !== undefined) return known;
  const starts = new Uint8Array(1 << 24);
  const forms = new Map<number, Searched[]>();
  for (const { name, forms: each } of marks) {
    for (const { form, bytes } of each) {
      const start = bytes.readUIntBE(0, 3);
      starts[start] = 1;
      forms.set(start, [...(forms.get(start) ?? []), { bytes, says: `${name} (${form})` }]);
    }
  }
  const index = { starts, forms };
  indexes.set(marks, index);
  return index;
}

/** Says which marks a text or some bytes hold, as `what (form)`; never empty-handed about where: `where` begins each finding. */
export function findMarks(marks: readonly MarkForms[], where: string, content: string | Uint8Array): readonly string[] {
  const { starts, forms } = indexOf(marks);
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const found = new Set<string>();
  let start = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    start = ((start << 8) | (bytes[at] ?? 0)) & 0xffffff;
    if (starts[start] !== 1 || at < 2) continue;
    for (const form of forms.get(start) ?? []) {
      if (form.bytes.equals(bytes.subarray(at - 2, at - 2 + form.bytes.length))) found.add(`${where}: ${form.says}`);
    }
  }
  return [...found];
}

/** Searches many places, and says each finding once. */
export function searchPlaces(marks: readonly MarkForms[], places: readonly Place[]): readonly string[] {
  return [...new Set(places.flatMap(({ where, content }) => findMarks(marks, where, content)))];
}

/** Every file below a folder, by its path from there; one that goes while it is looked at is passed over. */
export function filesOf(folder: string): readonly Place[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => existsSync(path))
    .map((path) => ({ where: path.slice(folder.length + 1), content: readFileSync(path) }));
}

/** Every file below a folder that is not, byte for byte, as in the folder that it was copied from. */
export function filesChangedSince(original: string, folder: string): readonly Place[] {
  return filesOf(folder).filter(({ where, content }) => {
    const before = join(original, where);
    return !existsSync(before) || !readFileSync(before).equals(content as Buffer);
  });
}

function placesOf(name: string, row: Readonly<Record<string, unknown>>): readonly Place[] {
  return Object.entries(row).flatMap(([column, value]) => {
    if (value === null || value === undefined || typeof value === 'boolean') return [];
    const content = typeof value === 'string' || value instanceof Uint8Array ? value : JSON.stringify(value);
    return [{ where: `${name}.${column}`, content }];
  });
}

/**
 * Every value of every row of every table of a database, by `schema.table.column`: the queue's tables too, the planner's statistics, which
 * keep samples of what stood in the tables, and what the server shows of running statements.
 */
export async function dumpOf(database: Database): Promise<readonly Place[]> {
  const db = database.read<unknown>();
  const tables = await sql<{ name: string; ours: boolean }>`
    SELECT format('%I.%I', nspname, relname) AS name, nspname <> 'pg_catalog' AND relkind <> 'v' AS ours
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND relkind IN ('r', 'p', 'm') OR relname = 'pg_stat_statements'
      OR nspname = 'pg_catalog' AND relname IN ('pg_statistic', 'pg_statistic_ext_data', 'pg_stat_activity', 'pg_prepared_statements', 'pg_largeobject', 'pg_description')`.execute(db);
  const places: Place[] = [];
  for (const { name, ours } of tables.rows) {
    // Columns of the catalogue may be of types that clients cannot read; as text they can.
    const { rows } = ours ? await sql<Record<string, unknown>>`SELECT * FROM ${sql.raw(name)}`.execute(db) : await sql<Record<string, unknown>>`SELECT t::text AS row FROM ${sql.raw(name)} t`.execute(db);
    for (const row of rows) places.push(...placesOf(name, row));
  }
  return places;
}

/** The same of an embedded database in a folder; it must be closed. */
export async function rowsOf(folder: string): Promise<readonly Place[]> {
  const database = await openEmbedded(folder);
  try {
    return await dumpOf(database);
  } finally {
    await database.close();
  }
}

/**
 * Both embedded databases of a data folder, dumped out of a copy, so that a Quittance may go on working in it. Copied between two steps of
 * this process, which is the only one that writes there, so that the copy is what a crash now would leave.
 */
export async function dumpOfCopy(folder: string): Promise<{ readonly main: readonly Place[]; readonly audit: readonly Place[] }> {
  const copy = mkdtempSync(join(tmpdir(), 'quittance-copy-'));
  try {
    cpSync(folder, copy, { recursive: true });
    return { main: await rowsOf(join(copy, 'main')), audit: await rowsOf(join(copy, 'audit')) };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
