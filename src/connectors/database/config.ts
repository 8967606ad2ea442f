import { z } from 'zod';
import { identifierKindSchema } from '../../contract/identifiers.ts';
import { readDataMap } from './data-map.ts';
import { durationPattern } from './duration.ts';

/** A name of a table or a column, as the database has it. Always quoted when it is used. */
const name = z.string().regex(/^[^\0"`.]{1,64}$/u, 'must be a name without quotes, dots and zero bytes, at most 64 characters');
const column = z.string().regex(/^[^\0"`.]{1,64}\.[^\0"`.]{1,64}$/u, 'must be table.column');

const jsonValue = z.json();

const keepSchema = z.strictObject({
  legal_basis: z.string().trim().max(200).optional().describe('The law that wants it kept: HGB § 257. Mandatory.'),
  until: z.iso.date().optional().describe('The day on which it ends. This or `for` is mandatory.'),
  for: z.string().regex(durationPattern, 'must be a number of days, months or years: 30d, 18m, 7y').optional().describe('How long it is kept.'),
  from: name.optional().describe('The column whose date `for` counts from; from the receipt of the request when absent.'),
});

const changeSchema = z
  .union([
    z.null(),
    z.strictObject({ constant: jsonValue }),
    z.strictObject({ mask: z.string().max(500) }),
    z.strictObject({ hash: z.literal(true) }),
    z.strictObject({ generalise: z.union([z.enum(['year', 'month', 'ip_network']), z.strictObject({ first: z.int().min(1).max(100) }), z.strictObject({ step: z.int().min(2) })]) }),
    z.strictObject({ keep: keepSchema }),
  ])
  .describe(
    'What becomes of the column: null; {constant: value}; {mask: "deleted-{partial_id}@example.com"} with {partial_id}, the first 8 letters and digits of the person’s key, or {id}, all of it; {hash: true}, keyed with hash_key; {generalise: year | month | ip_network | {first: 3} | {step: 10}}; {keep: …}, which becomes null at its end.',
  );

const linkSchema = z.record(name, column);

const tableSchema = z.strictObject({
  key: z.array(name).min(1).max(8).optional().describe('The columns that tell its rows apart, for paging. Mandatory for every table whose rows are touched.'),
  link: z.union([linkSchema, z.array(linkSchema).min(1).max(8)]).optional().describe('Which rows are the person’s: {user_id: users.id}. All columns of one map must fit; of a list of maps any may.'),
  unlink: linkSchema.optional().describe('References to the person’s rows, in anybody’s rows, that are set to null before those are deleted: {invited_by: users.id}.'),
  erase: z.literal('delete').optional().describe('The rows are deleted.'),
  keep: keepSchema.optional().describe('The rows are kept by law until their end, and deleted by the first erasure after it.'),
  columns: z.record(name, changeSchema).optional().describe('The rows stay, and these columns are changed.'),
  not_personal: z.array(name).default([]).describe('Columns that hold nothing of the person, and stay.'),
  export: z.union([z.literal(false), z.strictObject({ omit: z.array(name) })]).optional().describe('What access and portability leave out: the table, or some columns.'),
});

const pem = z.string().regex(/-----BEGIN /u, 'must be PEM');

const databaseUrl = z.string().superRefine((value, context) => {
  const problem = problemOfUrl(value);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

/** What a database connection is configured with, before the data map in it is checked: for who reports findings one by one. */
export const databaseShape = z.strictObject({
  url: databaseUrl.describe('postgres://user:password@host:5432/database or mysql://…; ?sslmode=require has the server’s certificate verified.'),
  schema: name.optional().describe('PostgreSQL: where the tables are; public when absent. MySQL: the database of the URL.'),
  tls: z.strictObject({ authority: pem.optional(), certificate: pem.optional(), client_key: pem.optional() }).optional().describe('Present: TLS, with the server’s certificate verified, by `authority` where that is not a public one.'),
  hash_key: z.string().min(16).optional().describe('The secret that hashes are keyed with.'),
  subject: z
    .strictObject({
      table: name,
      key: name.describe('The column by which the person’s row is known for ever.'),
      identifiers: z.partialRecord(identifierKindSchema, name).refine((each) => Object.keys(each).length > 0, 'must have at least one identifier'),
    })
    .describe('The table in which an identifier finds the person, and in which columns.'),
  tables: z.record(name, tableSchema),
  rectify: z.record(z.string().regex(/^[a-z][a-z0-9_]{0,63}$/u), column).default({}).describe('Which column a correction of a field goes to: {email: users.email}.'),
});

/** What a database connection is configured with; secrets are already resolved. */
export type DatabaseConfig = z.output<typeof databaseShape>;
/** A table of the data map. */
export type TableRule = DatabaseConfig['tables'][string];
/** What becomes of a column. */
export type ColumnRule = z.output<typeof changeSchema>;
/** Why, and until when, something is kept. */
export type KeepRule = z.output<typeof keepSchema>;

/** The configuration of a connection whose data map has nothing to refuse, as far as that can be known without the database. */
export const databaseConfigSchema = databaseShape.superRefine((config, context) => {
  for (const { at, message } of readDataMap(config).findings) context.addIssue({ code: 'custom', path: [...at], message });
});

const sslModes: readonly string[] = ['disable', 'require', 'verify-ca', 'verify-full'];

function problemOfUrl(value: string): string | undefined {
  if (!URL.canParse(value)) return 'must be a URL: postgres://… or mysql://…';
  const url = new URL(value);
  if (!/^(?:postgres|postgresql|mysql|mariadb):$/u.test(url.protocol)) return 'must be a URL of postgres:// or mysql://';
  if (url.hostname === '' || url.username === '' || url.pathname.length < 2) return 'must name a host, a user and a database';
  const unknown = [...url.searchParams.keys()].filter((each) => each !== 'sslmode');
  if (unknown.length > 0) return 'may have no parameter besides sslmode';
  const mode = url.searchParams.get('sslmode');
  return mode === null || sslModes.includes(mode) ? undefined : `sslmode must be one of ${sslModes.join(', ')}`;
}
