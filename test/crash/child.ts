import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A server in a process of its own, which a test can let kill itself. */
export interface ChildServer {
  readonly url: string;
  /** How the process ended; undefined while it runs. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly hasEnded: () => boolean;
  readonly kill: (signal: NodeJS.Signals) => void;
}

const entry = fileURLToPath(new URL('./server.ts', import.meta.url));

/**
 * Starts the crash server and answers when it listens, or when it died before it could: then `url` is empty. `crashAt` is `boundary:n`.
 */
export async function startChild(environment: Record<string, string>, crashAt?: string): Promise<ChildServer> {
  const child: ChildProcess = spawn(process.execPath, [entry], {
    env: { PATH: process.env['PATH'] ?? '', ...environment, ...(crashAt === undefined ? {} : { CRASH_AT: crashAt }) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let over = false;
  const ended = once(child, 'exit').then(([code, signal]) => {
    over = true;
    return { code: code as number | null, signal: signal as NodeJS.Signals | null };
  });
  let printed = '';
  const url = await Promise.race([
    new Promise<string>((resolve) => {
      child.stdout?.on('data', (part: Buffer) => {
        printed += part.toString('utf8');
        const line = printed.split('\n', 1)[0] ?? '';
        if (printed.includes('\n')) resolve(line);
      });
    }),
    ended.then(() => ''),
  ]);
  return { url, ended, hasEnded: () => over, kill: (signal) => void child.kill(signal) };
}
