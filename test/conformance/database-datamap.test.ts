import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { runCli } from '../../src/cli/run-cli.ts';
import { databaseConnector } from '../../src/connectors/database/index.ts';
import { makeSchema, onBothDatabases, type CompanyDatabase } from '../support/database-bench.ts';

const example = readFileSync(new URL('../../examples/05-database/quittance.yaml', import.meta.url), 'utf8');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quittance-datamap-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function quittance(arguments_: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> {
  let [out, err] = ['', ''];
  const code = await runCli(arguments_, {
    process: { stdout: { write: (text) => (out += text) }, stderr: { write: (text) => (err += text) }, stdin: (async function* none() {})(), env, exitCode: null },
    fetch: globalThis.fetch,
    now: () => 0,
  });
  return { code, out, err };
}

/** Writes a configuration, the example with changes, and says where. */
function configure(change: (text: string) => string): Readonly<Record<string, string>> {
  const path = join(folder, 'quittance.yaml');
  writeFileSync(path, change(example));
  return { QUITTANCE_CONFIG: path };
}

const withoutKey = (text: string): string => text.replace('key: [organization_id, user_id]\n        ', '');

interface Sarif {
  readonly version: string;
  readonly runs: readonly { readonly results: readonly { readonly ruleId: string; readonly locations: readonly { readonly physicalLocation: { readonly region: { readonly startLine: number } } }[] }[] }[];
}

describe('quittance datamap check without a database', () => {
  it('ends with 0 where nothing is found, and says what it looked at', async () => {
    const { code, out } = await quittance(['datamap', 'check'], configure((text) => text));
    expect({ code, out }).toEqual({ code: 0, out: 'app: 0 findings, checked against the map alone: /connections/app/url needs the environment variable APP_DATABASE_URL, which is not set\n' });
  });

  it('ends with 3 where something is found, in each format', async () => {
    const env = configure(withoutKey);
    expect(env['QUITTANCE_CONFIG'] === undefined ? '' : readFileSync(env['QUITTANCE_CONFIG'], 'utf8')).not.toBe(example);
    const text = await quittance(['datamap', 'check'], env);
    expect(text.code).toBe(3);
    expect(text.out).toContain('/connections/app/tables/organization_members/key: organization_members has no key (table-without-key)\n');
    const json = await quittance(['datamap', 'check', '--format', 'json'], env);
    expect(json.code).toBe(3);
    expect(JSON.parse(json.out)).toMatchObject({ ok: false, connections: [{ connection: 'app', against: 'map', findings: [{ code: 'table-without-key', at: '/connections/app/tables/organization_members/key' }] }] });
    const sarif = await quittance(['datamap', 'check', '--format', 'sarif'], env);
    expect(sarif.code).toBe(3);
    const { version, runs } = JSON.parse(sarif.out) as Sarif;
    expect(version).toBe('2.1.0');
    const [result] = runs[0]?.results ?? [];
    expect(result?.ruleId).toBe('table-without-key');
    const line = result?.locations[0]?.physicalLocation.region.startLine ?? 0;
    expect(withoutKey(example).split('\n')[line - 1]).toContain('organization_members:');
  });

  it('ends with 2 where it is no configuration of a database at all', async () => {
    const { code, err } = await quittance(['datamap', 'check'], configure((text) => text.replace('erase: delete', 'erase: forget')));
    expect(code).toBe(2);
    expect(err).toContain('/connections/app/tables/organization_members');
  });

  it('lets nothing start that it refuses', async () => {
    const env = { SMTP_URL: 'smtp://localhost', INTAKE_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}`, API_KEY: 'k'.repeat(40), APP_DATABASE_URL: 'postgres://app@127.0.0.1:1/app' };
    const good = await quittance(['config', 'check'], { ...configure((text) => text), ...env });
    expect({ code: good.code, err: good.err }).toEqual({ code: 0, err: '' });
    const bad = await quittance(['config', 'check'], { ...configure(withoutKey), ...env });
    expect(bad.code).toBe(2);
    expect(bad.err).toContain('organization_members has no key');
  });

  it('refuses a password that is written into the configuration', async () => {
    const { code, err } = await quittance(['datamap', 'check'], configure((text) => text.replace('${env:APP_DATABASE_URL}', 'postgres://app:hunter2@127.0.0.1/app')));
    expect(code).toBe(2);
    expect(err).toContain('/connections/app/url');
    expect(err).not.toContain('hunter2');
  });
});

onBothDatabases('the data map of a live schema', (make) => {
  let database: CompanyDatabase;
  beforeAll(async () => {
    database = await make();
    await makeSchema(database);
  });

  it('is checked against it: the example fits, and a table that nobody thought of does not', async () => {
    const env = { ...configure((text) => text), APP_DATABASE_URL: database.url };
    expect(await quittance(['datamap', 'check'], env)).toEqual({ code: 0, out: 'app: 0 findings, checked against its database\n', err: '' });
    await database.run('create table sessions (id bigint primary key, user_id char(36), foreign key (user_id) references users (id))');
    try {
      const { code, out } = await quittance(['datamap', 'check'], env);
      expect(code).toBe(3);
      expect(out).toContain('sessions.user_id refers to users.id, and sessions is not in the map (foreign-key-without-plan)');
    } finally {
      await database.run('drop table sessions');
    }
  });

  it('is drafted from it, with every guess marked, and what is drafted is a map that only lacks what must be decided', async () => {
    const { code, out } = await quittance(['datamap', 'scan', '${env:APP_DATABASE_URL}'], { APP_DATABASE_URL: database.url });
    expect(code).toBe(0);
    expect(out).toMatch(/email: \{ mask: "deleted-\{partial_id\}@example\.com" \} # guess/u);
    expect(out).toContain('preferences: { constant: {} } # guess');
    expect(out).toMatch(/link: \{ actor_id: users\.id \}/u);
    const { connector, ...given } = parse(out) as Record<string, unknown>;
    expect(connector).toBe('database');
    const parsed = databaseConnector.config.safeParse({ ...given, url: database.url });
    const open = (parsed.error?.issues ?? []).map(({ message }) => message);
    expect(open).toEqual(['invoices is kept without a legal_basis']);
    expect(stringify(given)).toContain('identifiers');
  });
});
