import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { checksumWithout, exampleConnection, makeSchema, onBothDatabases, plantUsers, userId } from '../support/database-bench.ts';

const child = fileURLToPath(new URL('../support/erase-child.ts', import.meta.url));
const n = 3;

onBothDatabases('an erasure whose process is killed', (make) => {
  it('is gone on with by the next process, with one effect for each row and none for anybody else’s', async () => {
    const database = await make();
    await makeSchema(database);
    await plantUsers(database, 10);
    const before = await checksumWithout(database, n);
    const rows = Array.from({ length: 4000 }, (_, index) => index);
    for (let at = 0; at < rows.length; at += 1000) await database.run(`insert into organization_members values ${rows.slice(at, at + 1000).map((each) => `('${userId(100_000 + each)}', '${userId(n)}', 'member')`).join(', ')}`);
    const folder = mkdtempSync(join(tmpdir(), 'quittance-kill-'));
    const [config, cursor] = [join(folder, 'config.json'), join(folder, 'cursor.json')];
    writeFileSync(config, JSON.stringify(exampleConnection(database.url)));
    writeFileSync(cursor, 'null');
    let kills = 0;
    // Each process is killed a few saves later than the last, so that it dies before, in and after a transaction.
    for (let saves = 1; !existsSync(`${cursor}.result`) && saves < 60; saves += 3) {
      const running = spawn(process.execPath, [child, config, cursor, userId(n)], { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(running, 'exit');
      let seen = 0;
      running.stdout.on('data', (chunk: Buffer) => {
        seen += chunk.toString('utf8').split('\n').length - 1;
        if (seen >= saves) running.kill('SIGKILL');
      });
      const [, signal] = (await ended) as [number | null, string | null];
      if (signal === 'SIGKILL') kills += 1;
      else expect(existsSync(`${cursor}.result`)).toBe(true);
    }
    expect(kills).toBeGreaterThan(2);
    expect(JSON.parse(readFileSync(`${cursor}.result`, 'utf8'))).toMatchObject({ state: 'done', outcome: 'anonymised', counts: { users: 1, organization_members: 4001, audit_log: 1, invoices: 1 } });
    expect(await database.run(`select 1 as one from organization_members where user_id = '${userId(n)}'`)).toEqual([]);
    expect(await checksumWithout(database, n)).toBe(before);
    rmSync(folder, { recursive: true, force: true });
  });
});
