import { spawn } from 'node:child_process';
import { freePort } from './embedded-postgres.ts';
import { holdProcess, type HeldProcess } from './held-process.ts';
import { findProgram, whyMissing } from './required-programs.ts';

/** A Redis server of a test file's own, without persistence. */
export interface TestRedis extends HeldProcess {
  readonly url: string;
}

/** Why there is no Redis here, for the title of what is left out. */
export const redisMissing: string | undefined = whyMissing('redis-server', 'redis-server');

/** Starts a Redis server on a free loopback port, or on the one of an earlier server. It keeps nothing on disk. Takes some milliseconds. */
export async function startRedis(options: { readonly port?: number; readonly arguments?: readonly string[] } = {}): Promise<TestRedis> {
  const program = findProgram('redis-server');
  if (program === undefined) throw new Error('redis-server is not installed');
  const port = options.port ?? (await freePort());
  const child = spawn(program, ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--daemonize', 'no', ...(options.arguments ?? [])], { stdio: ['ignore', 'pipe', 'pipe'] });
  const held = holdProcess(child);
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said.push(chunk.toString('utf8'));
      if (/Ready to accept connections/u.test(said.join(''))) resolve();
    });
    child.once('exit', () => reject(new Error(`Redis did not start: ${said.join('').slice(-2000)}`)));
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    ...held,
  };
}
