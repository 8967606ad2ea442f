import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { inTurns, rowOf, sized, type BenchRow } from '../measure.ts';
import { plantPeople, type Planted } from '../people.ts';
import { startPostgres } from '../postgres.ts';
import { makeInstallation, type Installation } from '../server.ts';
import { settleAll } from '../settle.ts';
import { startVendors } from '../vendors.ts';

const runs = 3;
const erased = 5;
/** The exit code of a search that found something. */
const found = 3;
const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Runs the command on a file, as after a restore, and gives its milliseconds. Throws unless it finds exactly those who were erased. */
async function check(installation: Installation, file: string, people: readonly Planted[]): Promise<number> {
  const start = performance.now();
  const child = spawn(process.execPath, [cli, 'suppression', 'check', '--kind', 'email'], { env: installation.environment, cwd: installation.folder, stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = once(child, 'exit');
  createReadStream(file).pipe(child.stdin);
  let printed = '';
  for await (const part of child.stdout) printed += String(part);
  const [code] = (await ended) as [number | null];
  const lines = printed.trim().split('\n').toSorted();
  if (code !== found || lines.join() !== people.map(({ email }) => email).toSorted().join()) throw new Error(`The check ended with ${code} and ${lines.length} lines`);
  return performance.now() - start;
}

/** Sorts both lists of hashes and joins them. */
function sortAndJoin(folder: string): number {
  const start = performance.now();
  const script = 'sort ledger.hex > ledger.sorted && sort restored.hex > restored.sorted && join ledger.sorted restored.sorted | wc -l';
  const matches = Number(execFileSync('sh', ['-c', script], { cwd: folder, env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' }, encoding: 'utf8' }));
  if (matches !== erased) throw new Error(`sort and join found ${matches} matches`);
  return performance.now() - start;
}

/** Who in a restored table was erased. */
const suppression: BenchRow = {
  name: 'suppression',
  run: async (context) => {
    const vendors = await startVendors();
    await vendors.reset();
    const server = await startPostgres();
    const urls = await server.createDatabases();
    const installation = makeInstallation(vendors, urls);
    try {
      const process_ = await installation.start();
      const people = await plantPeople(vendors, erased);
      await settleAll(process_.url, people, 1);
      await process_.stop();
      const [ledger, restored] = [sized(context, 1_000_000, 1000), sized(context, 250_000, 500)];
      const client = new pg.Client({ connectionString: server.asSuperuser(urls.main) });
      await client.connect();
      await client.query('INSERT INTO suppression (hash, kind, added_at) SELECT sha256((\'h\' || n)::bytea), \'email\', now() FROM generate_series(1, $1::integer) AS n', [ledger]);
      await client.query('ANALYZE suppression');
      await client.end();
      const others = Array.from({ length: restored - erased }, (_each, index) => `restored${index}@example.com`);
      const emails = [...others.slice(0, restored / 2), ...people.map(({ email }) => email), ...others.slice(restored / 2)];
      const file = join(installation.folder, 'restored.txt');
      writeFileSync(file, `${emails.join('\n')}\n`);
      writeFileSync(join(installation.folder, 'restored.hex'), `${emails.map(sha256).join('\n')}\n`);
      const known = [...Array.from({ length: ledger }, (_each, index) => sha256(`h${index + 1}`)), ...people.map(({ email }) => sha256(email))];
      writeFileSync(join(installation.folder, 'ledger.hex'), `${known.join('\n')}\n`);
      const pairs = await inTurns(context, suppression.name, runs, { measured: () => check(installation, file, people), reference: async () => sortAndJoin(installation.folder) });
      const head = {
        name: suppression.name,
        what: `\`quittance suppression check\` of a restored table of ${restored.toLocaleString('en-US')} addresses against ${ledger.toLocaleString('en-US')} hashes, PostgreSQL: start, normal forms and keyed hashes included`,
        against: 'coreutils `sort` of both lists and `join`, of hashes made beforehand',
        unit: 'ms',
        size: restored,
        goal: { how: 'at_most', factor: 1.5, plus: 0 },
      } as const;
      return [rowOf(head, pairs)];
    } finally {
      await installation.remove();
      await server.stop();
      await vendors.stop();
    }
  },
};

/** The match of a restored table with the suppression ledger. */
export const suppressionRows: readonly BenchRow[] = [suppression];
