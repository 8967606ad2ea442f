import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { afterAll, beforeAll, describe } from 'vitest';
import { parse } from 'yaml';
import { databaseConnector, type DatabaseConfig } from '../../src/connectors/database/index.ts';
import { createTestContext, type TestContext, type TestContextOptions } from '../../src/connector-kit/conformance/index.ts';
import type { Connection } from '../../src/connector-kit/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { sharedPostgres } from './databases.ts';
import { mariadbMissing, startMariadb, type TestMariadb } from './mariadb.ts';

/** A company's database of one of the two families, to plant people in and to look at afterwards. */
export interface CompanyDatabase {
  readonly url: string;
  readonly run: (statement: string) => Promise<readonly Record<string, unknown>[]>;
  readonly close: () => Promise<void>;
}

/** Person number `n` of a planted company. The first eight digits of each id differ. */
export const userId = (n: number): string => `${(0xa1b2c3d4 + n).toString(16)}-0000-4000-8000-${String(n).padStart(12, '0')}`;
/** Person number `n`, as the application knows them. */
export const person = (n: number): { readonly id: Identifier; readonly email: Identifier } => ({ id: { kind: 'user_id', value: userId(n) }, email: { kind: 'email', value: `user-${n}@example.com` } });

const schemaFile = new URL('../../examples/05-database/schema.sql', import.meta.url);
const exampleFile = new URL('../../examples/05-database/quittance.yaml', import.meta.url);

/** The settings of the example's connection, as a test may change them. */
export interface ExampleSettings {
  url: string;
  hash_key?: string;
  subject: { table: string; key: string; identifiers: Record<string, string> };
  tables: Record<string, Record<string, unknown> & { columns?: Record<string, unknown>; not_personal?: string[] }>;
  rectify?: Record<string, string>;
}

interface Example {
  readonly connections: { readonly app: ExampleSettings & { readonly connector: string } };
}

/** What a test changes of the example's connection. */
export type Change = (given: ExampleSettings) => void;

/** The connection of the example, before the connector's schema, with another URL and what the test changes. */
export function exampleConnection(url: string, change: Change = () => undefined): ExampleSettings {
  const { connector: _connector, ...given } = structuredClone((parse(readFileSync(exampleFile, 'utf8')) as Example).connections.app);
  const own = { ...given, url };
  change(own);
  return own;
}

/** The same, through the connector's schema. */
export const exampleConfig = (url: string, change?: Change): DatabaseConfig => databaseConnector.config.parse(exampleConnection(url, change));

/** The example's connection, bound. */
export const connectTo = (url: string, change?: Change): Connection => databaseConnector.connect(exampleConfig(url, change));

/** A task about one person of the company. */
export function taskFor(identifier: Identifier, options: Partial<TestContextOptions> = {}): TestContext {
  return createTestContext({ egress: ['postgres://127.0.0.1:5432'], identifier, seenHere: true, ...options });
}

/** Makes the example's tables. */
export async function makeSchema(database: CompanyDatabase): Promise<void> {
  for (const statement of readFileSync(schemaFile, 'utf8').replaceAll(/^--.*$/gmu, '').split(';')) if (statement.trim() !== '') await database.run(statement);
}

/** Plants people 1 to `count`, each with a membership, two audit rows, a request, an invoice of 2001 and one of 2025. */
export async function plantUsers(database: CompanyDatabase, count: number): Promise<void> {
  const all = Array.from({ length: count }, (_, index) => index + 1);
  const insert = async (table: string, rows: readonly string[]): Promise<void> => {
    for (let at = 0; at < rows.length; at += 2000) await database.run(`insert into ${table} values ${rows.slice(at, at + 2000).join(', ')}`);
  };
  const day = "'2026-01-02 03:04:05'";
  await insert('users (id, email, name, phone, preferences, created_at)', all.map((n) => `('${userId(n)}', 'user-${n}@example.com', 'Person Number ${n}', '+1202555${String(n).padStart(4, '0')}', '{"theme":"dark","n":${n}}', ${day})`));
  await insert('organization_members', all.map((n) => `('${userId(0)}', '${userId(n)}', 'member')`));
  await insert('audit_log (id, actor_id, action, ip_address, created_at)', all.flatMap((n) => [`(${2 * n}, '${userId(n)}', 'login', '192.0.2.7', ${day})`, `(${2 * n + 1}, '${userId(n)}', 'workstation.create', '192.0.2.8', '2001-01-01 00:00:00')`]));
  await insert('gdpr_requests (id, user_id, request_type, status, created_at)', all.map((n) => `(${n}, '${userId(n)}', 'erasure', 'received', ${day})`));
  await insert('invoices', all.flatMap((n) => [`(${2 * n}, '${userId(n)}', '${n} Example Street', '2001-05-05 00:00:00')`, `(${2 * n + 1}, '${userId(n)}', '${n} Example Street', '2025-05-05 00:00:00')`]));
}

const personalTables = [
  ['users', 'id'],
  ['organization_members', 'user_id'],
  ['audit_log', 'actor_id'],
  ['gdpr_requests', 'user_id'],
  ['invoices', 'user_id'],
] as const;

/** A checksum over every row of every table that is not person number `n`'s. */
export async function checksumWithout(database: CompanyDatabase, n: number): Promise<string> {
  const hash = createHash('sha256');
  for (const [table, column] of personalTables) {
    const rows = await database.run(`select * from ${table} where ${column} <> '${userId(n)}'`);
    const lines = rows.map((row) => JSON.stringify(row)).toSorted();
    hash.update(`${table}:${lines.length}\n${lines.join('\n')}\n`);
  }
  return hash.digest('hex');
}

async function openPostgres(): Promise<CompanyDatabase> {
  const url = await sharedPostgres().createDatabase();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return { url, run: async (statement) => ((await client.query(statement)).rows ?? []) as Record<string, unknown>[], close: async () => client.end() };
}

async function openMariadb(server: TestMariadb): Promise<CompanyDatabase> {
  const url = await server.createDatabase();
  const connection = await createConnection({ uri: url, timezone: 'Z' });
  await connection.query("set time_zone = '+00:00'");
  return {
    url,
    run: async (statement) => {
      const [rows] = await connection.query(statement);
      return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
    },
    close: async () => connection.end(),
  };
}

/** Runs a suite on PostgreSQL and on MariaDB, with fresh databases; where there is no MariaDB its half is skipped, and says why. */
export function onBothDatabases(title: string, suite: (make: () => Promise<CompanyDatabase>) => void): void {
  for (const family of ['PostgreSQL', 'MariaDB'] as const) {
    const missing = family === 'MariaDB' ? mariadbMissing : undefined;
    describe.skipIf(missing !== undefined)(`${title} on ${family}${missing === undefined ? '' : ` (${missing})`}`, () => {
      let server: TestMariadb | undefined;
      const open: CompanyDatabase[] = [];
      beforeAll(async () => {
        if (family === 'MariaDB') server = await startMariadb();
      });
      afterAll(async () => {
        for (const each of open) await each.close();
        await server?.stop();
      });
      suite(async () => {
        const database = server === undefined ? await openPostgres() : await openMariadb(server);
        open.push(database);
        return database;
      });
    });
  }
}
