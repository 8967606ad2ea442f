import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configText, secrets } from './config.ts';
import type { Vendors } from './vendors.ts';

const entry = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** A process of Quittance, as `quittance serve` runs it. */
export interface ServerProcess {
  /** Empty for one that serves no HTTP. */
  readonly url: string;
  /** Ends it: politely, or at once as a crash would. */
  readonly stop: (signal?: 'SIGTERM' | 'SIGKILL') => Promise<void>;
}

/** A folder with a configuration, and the environment of every process that works in it. */
export interface Installation {
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Starts a process and answers when it says that it has started. `--cpu-prof` and the like go to Node. */
  readonly start: (services?: string, nodeOptions?: readonly string[]) => Promise<ServerProcess>;
  /** Kills whatever still runs, and removes the folder. */
  readonly remove: () => Promise<void>;
}

/** Where an installation keeps its data when it is not the embedded databases. */
export interface DatabaseUrls {
  readonly main: string;
  readonly audit: string;
}

/** Makes an installation: on the embedded databases in its own folder, or on PostgreSQL. */
export function makeInstallation(vendors: Pick<Vendors, 'stripe' | 'twilio'>, urls?: DatabaseUrls): Installation {
  const folder = mkdtempSync(join(tmpdir(), 'quittance-bench-'));
  writeFileSync(join(folder, 'quittance.yaml'), configText(vendors));
  const environment = {
    ...secrets,
    PATH: process.env['PATH'] ?? '',
    QUITTANCE_CONFIG: join(folder, 'quittance.yaml'),
    QUITTANCE_DATA_DIR: join(folder, 'data'),
    QUITTANCE_PORT: '0',
    QUITTANCE_LOG_LEVEL: 'info',
    QUITTANCE_MASTER_KEY: randomBytes(32).toString('base64'),
    ...(urls === undefined ? {} : { QUITTANCE_DATABASE_URL: urls.main, QUITTANCE_AUDIT_DATABASE_URL: urls.audit }),
  };
  const running = new Set<ServerProcess>();
  const start: Installation['start'] = async (services = 'http,worker,scheduler', nodeOptions = []) => {
    const child = spawn(process.execPath, [...nodeOptions, entry, `--services=${services}`], { env: environment, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    // A benchmark that is broken off leaves nothing running.
    const killAtExit = (): void => void child.kill('SIGKILL');
    process.once('exit', killAtExit);
    const ended = once(child, 'exit').then(() => void process.off('exit', killAtExit));
    const started = Promise.withResolvers<string>();
    let output = '';
    child.stderr.on('data', (part: Buffer) => {
      // Kept until it has started; after that only drained.
      if (output.includes('"msg":"started"')) return;
      output += part.toString('utf8');
      const line = output.split('\n').find((each) => each.includes('"msg":"started"') && each.endsWith('}'));
      if (line !== undefined) started.resolve((JSON.parse(line) as { url?: string }).url ?? '');
    });
    ended.then(
      () => started.reject(new Error(`A process with ${services} ended before it started: ${output}`)),
      (error: unknown) => started.reject(error as Error),
    );
    const server: ServerProcess = {
      url: await started.promise,
      stop: async (signal = 'SIGTERM') => {
        running.delete(server);
        child.kill(signal);
        await ended;
      },
    };
    running.add(server);
    return server;
  };
  return {
    folder,
    environment,
    start,
    remove: async () => {
      await Promise.all([...running].map(async (each) => each.stop('SIGKILL')));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
