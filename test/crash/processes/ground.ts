import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, openSync, closeSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Database } from '../../../src/platform/db/database.ts';
import { openEmbedded } from '../../../src/platform/db/embedded.ts';
import { migrate } from '../../../src/platform/db/migrate.ts';
import { openPostgres } from '../../../src/platform/db/postgres.ts';
import type { Sandbox } from '../../../src/sandbox/index.ts';
import { keepAsTemplate } from '../../support/postgres-databases.ts';
import { startPostgres, type StopMode, type TestPostgres } from '../../support/postgres.ts';
import { testConfigText, testEnvironment } from '../../support/quittance.ts';
import type { ProcessMode } from './incidents.ts';

/** Both databases of an installation, opened beside it or after it. */
export interface OpenDatabases {
  readonly main: Database;
  readonly audit: Database;
  readonly close: () => Promise<void>;
}

/** The data and the settings of one round. */
export interface Installation {
  readonly folder: string;
  readonly environment: Record<string, string>;
  /** A file's descriptor, for what the processes say. */
  readonly stderr: number;
  /** Opens both databases. On the embedded one only while no process runs. */
  readonly open: () => Promise<OpenDatabases>;
  /** Cuts every session that the installation has, as a broken network does. */
  readonly cut: () => Promise<void>;
  /** Takes the database server down for a while. */
  readonly down: (how: StopMode, whileDown: () => Promise<void>) => Promise<void>;
  /** Removes the data, or keeps it and answers nothing. */
  readonly remove: () => void;
}

/** What rounds are played on, one after the other. */
export interface Ground {
  readonly mode: ProcessMode;
  readonly install: (sandbox: Sandbox) => Promise<Installation>;
  readonly close: () => Promise<void>;
}

/** Short time-outs, so that a round takes seconds. */
const changes = {
  requests: { grace_days: 0, confirm_attempts: 3 },
  connections: { stripe: { timeout_seconds: 1 }, twilio: { timeout_seconds: 1 }, segment: { timeout_seconds: 1, read_back_within_seconds: 2 } },
};

function prepare(sandbox: Sandbox, database: Record<string, string>): Pick<Installation, 'folder' | 'environment' | 'stderr' | 'remove'> {
  const folder = mkdtempSync(join(tmpdir(), 'quittance-crash-'));
  writeFileSync(join(folder, 'quittance.yaml'), testConfigText(sandbox, changes));
  const stderr = openSync(join(folder, 'log.jsonl'), 'a');
  const environment = {
    ...testEnvironment(sandbox),
    QUITTANCE_CONFIG: join(folder, 'quittance.yaml'),
    QUITTANCE_DATA_DIR: folder,
    QUITTANCE_MASTER_KEY: randomBytes(32).toString('base64'),
    QUITTANCE_PORT: '0',
    QUITTANCE_LOG_LEVEL: 'info',
    ...database,
  };
  const remove = (): void => {
    closeSync(stderr);
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, environment, stderr, remove };
}

async function makeEmbeddedTemplate(): Promise<string> {
  const template = mkdtempSync(join(tmpdir(), 'quittance-crash-template-'));
  for (const set of ['main', 'audit'] as const) {
    const database = await openEmbedded(join(template, set));
    await migrate(database, set);
    await database.close();
  }
  return template;
}

/** Rounds on embedded databases, each a copy of the template, a folder that holds both of them migrated; without one it is made, and removed at the end. */
async function embeddedGround(given: string | undefined): Promise<Ground> {
  const template = given ?? (await makeEmbeddedTemplate());
  return {
    mode: 'embedded',
    install: async (sandbox) => {
      const prepared = prepare(sandbox, {});
      cpSync(template, prepared.folder, { recursive: true });
      return {
        ...prepared,
        open: async () => {
          const main = await openEmbedded(join(prepared.folder, 'main'));
          const audit = await openEmbedded(join(prepared.folder, 'audit'));
          return { main, audit, close: async () => void (await Promise.all([main.close(), audit.close()])) };
        },
        cut: async () => undefined,
        down: async () => undefined,
      };
    },
    close: async () => {
      if (given === undefined) rmSync(template, { recursive: true, force: true });
    },
  };
}

async function makeTemplates(server: TestPostgres): Promise<void> {
  for (const set of ['main', 'audit'] as const) {
    const url = await server.createDatabase();
    const database = openPostgres(url, () => undefined);
    await migrate(database, set);
    await database.close();
    await keepAsTemplate(server.port, set, url);
  }
}

/** Rounds on a PostgreSQL server of their own, since they take it down. */
async function postgresGround(): Promise<Ground> {
  const server = await startPostgres();
  await makeTemplates(server);
  return {
    mode: 'postgres',
    install: async (sandbox) => {
      const [mainUrl, auditUrl] = [await server.createDatabase('main'), await server.createDatabase('audit')];
      const prepared = prepare(sandbox, { QUITTANCE_DATABASE_URL: mainUrl, QUITTANCE_AUDIT_DATABASE_URL: auditUrl });
      const names = [mainUrl, auditUrl].map((url) => new URL(url).pathname.slice(1));
      return {
        ...prepared,
        open: async () => {
          const main = openPostgres(mainUrl, () => undefined);
          const audit = openPostgres(server.asSuperuser(auditUrl), () => undefined);
          return { main, audit, close: async () => void (await Promise.all([main.close(), audit.close()])) };
        },
        cut: async () => {
          const admin = new pg.Client({ connectionString: server.asSuperuser(mainUrl) });
          await admin.connect();
          await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY($1) AND application_name LIKE 'quittance%'", [names]);
          await admin.end();
        },
        down: async (how, whileDown) => {
          await server.down(how);
          await whileDown();
          await server.up();
        },
      };
    },
    close: server.stop,
  };
}

/** Makes what rounds of a mode are played on; `template` is a folder of migrated embedded databases, where there is one. Takes a few seconds. */
export async function layGround(mode: ProcessMode, template?: string): Promise<Ground> {
  return mode === 'embedded' ? embeddedGround(template) : postgresGround();
}
