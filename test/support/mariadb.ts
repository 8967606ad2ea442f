import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { freePort } from './embedded-postgres.ts';

/** A MariaDB server of a test file's own. */
export interface TestMariadb {
  readonly port: number;
  /** The URL of a new, empty database, as the login `app`, which has every right on it. */
  readonly createDatabase: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

const server = ['/usr/sbin/mariadbd', '/usr/local/sbin/mariadbd', '/usr/libexec/mariadbd'].find((each) => existsSync(each));

/** Why there is no MariaDB here, for the title of what is skipped; undefined where there is one. */
export const mariadbMissing: string | undefined = server === undefined ? 'mariadbd is not installed (Debian: mariadb-server)' : undefined;

/** Starts a MariaDB server on a free port of this machine, with its data in a temporary folder that `stop` removes. Takes about four seconds. */
export async function startMariadb(): Promise<TestMariadb> {
  if (server === undefined) throw new Error(mariadbMissing);
  const folder = mkdtempSync(join(tmpdir(), 'quittance-mariadb-'));
  const data = join(folder, 'data');
  mkdirSync(data);
  const asRoot = process.getuid?.() === 0 ? ['--user=root'] : [];
  execFileSync('mariadb-install-db', ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db', ...asRoot], { stdio: 'ignore' });
  const port = await freePort();
  const socket = join(folder, 'socket');
  const fast = ['--innodb-flush-log-at-trx-commit=0', '--innodb-flush-method=nosync', '--innodb-buffer-pool-size=64M', '--sync-binlog=0'];
  const child = spawn(server, ['--no-defaults', `--datadir=${data}`, `--port=${port}`, '--bind-address=127.0.0.1', `--socket=${socket}`, `--pid-file=${join(folder, 'pid')}`, ...fast, ...asRoot], { stdio: ['ignore', 'ignore', 'pipe'] });
  const endWithProcess = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithProcess);
  await untilReady(child);
  const asAdmin = async (statements: readonly string[]): Promise<void> => {
    const connection = await createConnection({ socketPath: socket, user: 'root' });
    for (const each of statements) await connection.query(each);
    await connection.end();
  };
  await asAdmin(["create user app@'127.0.0.1' identified by 'app'", "create user app@localhost identified by 'app'"]);
  let created = 0;
  return {
    port,
    createDatabase: async () => {
      created += 1;
      await asAdmin([`create database app_${created} character set utf8mb4`, `grant all on app_${created}.* to app@'127.0.0.1'`, `grant all on app_${created}.* to app@localhost`]);
      return `mysql://app:app@127.0.0.1:${port}/app_${created}`;
    },
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
      process.off('exit', endWithProcess);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits for the server's own word. */
async function untilReady(child: ChildProcess): Promise<void> {
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      said.push(chunk.toString('utf8'));
      if (/ready for connections/u.test(said.join(''))) resolve();
    });
    child.once('exit', () => reject(new Error(`MariaDB did not start: ${said.join('').slice(-2000)}`)));
  });
}
