import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { openEmbedded } from '../../src/platform/db/embedded.ts';

/** The forms in which a piece of personal data must be found nowhere, each by what it is called in a finding. */
export interface MarkForms {
  readonly name: string;
  readonly forms: readonly { readonly form: string; readonly bytes: Buffer }[];
}

/** Base64 of a text wherever it begins within a longer one: the three alignments, without the characters that its neighbours decide. */
function base64Anywhere(text: string): readonly string[] {
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.from('\0'.repeat(offset) + text, 'utf8').toString('base64').replaceAll('=', '');
    const from = offset === 0 ? 0 : offset + 1;
    const whole = Math.floor(((offset + Buffer.byteLength(text)) * 8) / 6);
    return encoded.slice(from, whole);
  });
}

/** Gives all the forms of a piece of personal data: plain, lower case, URL-encoded, base64, hex, and hashed without a key. */
export function markForms(name: string, values: readonly string[], kind?: string): MarkForms {
  const forms = new Map<string, string>();
  const add = (form: string, text: string): void => void (text.length >= 6 && forms.set(text, form));
  for (const value of new Set(values.flatMap((each) => [each, each.toLowerCase()]))) {
    add('plain', value);
    add('url-encoded', encodeURIComponent(value));
    add('hex', Buffer.from(value, 'utf8').toString('hex'));
    for (const encoded of base64Anywhere(value)) {
      add('base64', encoded);
      add('base64url', encoded.replaceAll('+', '-').replaceAll('/', '_'));
    }
    for (const text of [value, ...(kind === undefined ? [] : [`${kind}:${value}`])]) {
      for (const algorithm of ['sha256', 'sha1', 'md5']) {
        const digest = createHash(algorithm).update(text, 'utf8').digest();
        add(`${algorithm} hex`, digest.toString('hex'));
        add(`${algorithm} base64`, digest.toString('base64').replaceAll('=', ''));
        add(`${algorithm} bytes`, digest.toString('latin1'));
      }
    }
  }
  return { name, forms: [...forms].map(([text, form]) => ({ form, bytes: Buffer.from(text, form.endsWith('bytes') ? 'latin1' : 'utf8') })) };
}

/** Says which marks a text or some bytes hold, as `what (form)`; never empty-handed about where: `where` begins each finding. */
export function findMarks(marks: readonly MarkForms[], where: string, content: string | Uint8Array): readonly string[] {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : Buffer.from(content);
  return marks.flatMap((mark) => mark.forms.filter((each) => bytes.includes(each.bytes)).map((each) => `${where}: ${mark.name} (${each.form})`));
}

/** Every file below a folder that is not, byte for byte, as in the folder that it was copied from, by its path from there. */
export function filesChangedSince(original: string, folder: string): readonly { readonly path: string; readonly content: Buffer }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: path.slice(folder.length + 1), content: readFileSync(path) }))
    .filter(({ path, content }) => {
      const before = join(original, path);
      return !existsSync(before) || !content.equals(readFileSync(before));
    });
}

/** Every value of every row of every table of an embedded database, by `schema.table.column`; the database must be closed. */
export async function rowsOf(folder: string): Promise<readonly { readonly where: string; readonly content: string | Uint8Array }[]> {
  const database = await openEmbedded(folder);
  try {
    const db = database.read<unknown>();
    const tables = await sql<{ name: string }>`
      SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`.execute(db);
    const values: { where: string; content: string | Uint8Array }[] = [];
    for (const { name } of tables.rows) {
      const { rows } = await sql<Record<string, unknown>>`SELECT * FROM ${sql.raw(name)}`.execute(db);
      for (const row of rows) {
        for (const [column, value] of Object.entries(row)) {
          if (value === null || typeof value === 'number' || typeof value === 'boolean') continue;
          const content = typeof value === 'string' || value instanceof Uint8Array ? value : JSON.stringify(value);
          values.push({ where: `${name}.${column}`, content });
        }
      }
    }
    return values;
  } finally {
    await database.close();
  }
}
