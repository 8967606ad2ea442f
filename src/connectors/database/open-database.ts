import { CompiledQuery, Kysely, MysqlDialect, PostgresDialect, sql, type Transaction } from 'kysely';
import { createPool } from 'mysql2';
import pg from 'pg';
import type { DatabaseConfig } from './config.ts';
import { databaseFailure } from './database-failure.ts';

/** Tables are known by the configuration only, so statements are written out, with every name quoted and every value a parameter. */
export type Tx = Transaction<unknown>;

/** Which of the two families a database is of. */
export type Dialect = 'postgres' | 'mysql';

/** A row as it is read here: every value as the text that the database writes it as. */
export type Row = Readonly<Record<string, string | null>>;

/** An open connection to the company's database. */
export interface Session {
  readonly dialect: Dialect;
  /** Where the tables are. */
  readonly schema: string;
  /** Runs a short transaction; whatever is thrown takes it back. Driver errors become failures without values. */
  readonly transaction: <Result>(work: (tx: Tx) => Promise<Result>, access?: 'read only' | 'read write') => Promise<Result>;
}

/** What of a configuration is needed to connect. */
export type DatabaseTarget = Pick<DatabaseConfig, 'url' | 'schema' | 'tls'>;

/** How long one statement may take, and how long it may wait for somebody else's lock, in milliseconds. */
const statementMs = 30_000;
const lockMs = 5_000;
const connectMs = 10_000;

/** Says of which family a database is, by its URL. */
export const dialectOf = (url: string): Dialect => (url.startsWith('postgres') ? 'postgres' : 'mysql');

/** The place that a connection reaches: `postgres://db.example.com:5432`. */
export function originOf(url: string): string {
  const { hostname, port } = new URL(url);
  const dialect = dialectOf(url);
  return `${dialect}://${hostname}:${port === '' ? defaultPort(dialect) : port}`;
}

const defaultPort = (dialect: Dialect): number => (dialect === 'postgres' ? 5432 : 3306);

/** A session and how it ends. */
export interface OpenSession {
  readonly session: Session;
  readonly close: () => Promise<void>;
}

/** Opens one connection at the first statement; who opened it closes it. */
export function openSession(target: DatabaseTarget): OpenSession {
  const dialect = dialectOf(target.url);
  const db = new Kysely<unknown>({ dialect: dialect === 'postgres' ? openPostgres(target) : openMysql(target) });
  const session: Session = {
    dialect,
    schema: target.schema ?? (dialect === 'postgres' ? 'public' : decodeURIComponent(new URL(target.url).pathname.slice(1))),
    transaction: async (inside, access = 'read write') =>
      db
        .transaction()
        .setIsolationLevel('read committed')
        .setAccessMode(access)
        .execute(async (tx) => {
          if (dialect === 'postgres') await settlePostgres(tx);
          return inside(tx);
        })
        .catch(rethrow),
  };
  return { session, close: async () => db.destroy().catch(rethrow) };
}

/**
 * Opens one connection, lends it, and closes it again, so that nothing stays open between steps; how many there are at once is the limit of the
 * connection's tasks. Fails with `CONNECTION_AUTH`, `VENDOR_UNAVAILABLE`, `VENDOR_TIMEOUT` and `CONFIG_INVALID`.
 */
export async function withSession<Result>(target: DatabaseTarget, work: (session: Session) => Promise<Result>): Promise<Result> {
  const { session, close } = openSession(target);
  try {
    return await work(session);
  } finally {
    await close();
  }
}

function rethrow(error: unknown): never {
  throw databaseFailure(error) ?? error;
}

interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly tls: { readonly rejectUnauthorized: true; readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
}

function addressOf({ url, tls }: DatabaseTarget): Address {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  const mode = searchParams.get('sslmode');
  return {
    host: hostname.replaceAll(/^\[|\]$/gu, ''),
    port: port === '' ? defaultPort(dialectOf(url)) : Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    tls:
      tls === undefined && (mode === null || mode === 'disable')
        ? undefined
        : {
            rejectUnauthorized: true,
            ...(tls?.authority === undefined ? {} : { ca: tls.authority }),
            ...(tls?.certificate === undefined ? {} : { cert: tls.certificate }),
            ...(tls?.client_key === undefined ? {} : { key: tls.client_key }),
          },
  };
}

function openPostgres(target: DatabaseTarget): PostgresDialect {
  const { tls, ...address } = addressOf(target);
  const pool = new pg.Pool({
    ...address,
    ssl: tls ?? false,
    max: 1,
    connectionTimeoutMillis: connectMs,
    application_name: 'quittance',
    // As text: what is read goes back as a parameter without loss, be it a bigint, a time of microseconds or bytes.
    types: { getTypeParser: () => (value: unknown) => value },
  });
  // A connection that breaks between two statements is found by the next one; unheard, the event would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return new PostgresDialect({ pool });
}

/** For one transaction each, so that it holds behind a pooler too. With `row_security` off a policy that would hide rows is an error and not silence. */
async function settlePostgres(tx: Tx): Promise<void> {
  const settings: Readonly<Record<string, string>> = {
    statement_timeout: String(statementMs),
    lock_timeout: String(lockMs),
    row_security: 'off',
    TimeZone: 'UTC',
    DateStyle: 'ISO, YMD',
    bytea_output: 'hex',
  };
  await sql`select ${sql.join(Object.entries(settings).map(([name, value]) => sql`set_config(${name}, ${value}, true)`))}`.execute(tx);
}

function openMysql(target: DatabaseTarget): MysqlDialect {
  const { tls, ...address } = addressOf(target);
  const pool = createPool({
    ...address,
    ...(tls === undefined ? {} : { ssl: { ...tls, verifyIdentity: true } }),
    connectionLimit: 1,
    connectTimeout: connectMs,
    charset: 'utf8mb4',
    multipleStatements: false,
    // An object as a parameter would otherwise become part of the statement.
    stringifyObjects: true,
    typeCast: (field) => field.string(),
  });
  return new MysqlDialect({
    pool,
    onCreateConnection: async (connection) => {
      const run = async (text: string): Promise<readonly unknown[]> => (await connection.executeQuery(CompiledQuery.raw(text))).rows;
      // Values are escaped with backslashes, which this mode has to take for what they are; strict, so that nothing is cut short in silence.
      await run("set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', time_zone = '+00:00', foreign_key_checks = 1");
      await run(`set session innodb_lock_wait_timeout = ${lockMs / 1000}`);
      const [{ version } = { version: '' }] = (await run('select version() as version')) as readonly { readonly version: string }[];
      await run(/mariadb/iu.test(version) ? `set session max_statement_time = ${statementMs / 1000}` : `set session max_execution_time = ${statementMs}`);
    },
  });
}
