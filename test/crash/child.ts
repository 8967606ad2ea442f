import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The exit code of a crash server that was ended by an exception that nothing caught. */
export const bugCode = 70;

/** What the parent can tell a crash server. */
export interface ToServer {
  /** Reach boundaries without dying from now on. */
  readonly disarm?: true;
  /** How far its clock is off, in milliseconds. */
  readonly offsetMs?: number;
  /** Look for everything that is due. */
  readonly sweep?: true;
}

/** A server in a process of its own, which a test can let kill itself. */
export interface ChildServer {
  readonly url: string;
  /** How the process ended; undefined while it runs. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly hasEnded: () => boolean;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Tells it something; one that has ended hears nothing. */
  readonly tell: (what: ToServer) => void;
}

/** A process that was started, whether or not it has come up. */
export interface StartedChild extends Omit<ChildServer, 'url'> {
  /** Its URL once it listens; empty without the service `http`, and undefined when it died before it had started. */
  readonly started: Promise<string | undefined>;
}

const entry = fileURLToPath(new URL('./server.ts', import.meta.url));

/** What this process was told to import first, the server imports too: a bug that is planted here is planted there. */
const imports = process.execArgv.flatMap((each, index, all) => (each === '--import' ? [each, all[index + 1] ?? ''] : each.startsWith('--import=') ? [each] : []));

/** Starts the crash server. What it says goes to `stderr`, this process's own or a file's descriptor. */
export function spawnChild(environment: Record<string, string>, stderr: 'inherit' | number = 'inherit'): StartedChild {
  const child: ChildProcess = spawn(process.execPath, [...imports, entry], { env: { PATH: process.env['PATH'] ?? '', ...environment }, stdio: ['ignore', 'pipe', stderr, 'ipc'] });
  let over = false;
  const ended = once(child, 'exit').then(([code, signal]) => {
    over = true;
    return { code: code as number | null, signal: signal as NodeJS.Signals | null };
  });
  let printed = '';
  const started = Promise.race([
    new Promise<string>((resolve) => {
      child.stdout?.on('data', (part: Buffer) => {
        printed += part.toString('utf8');
        const line = printed.split('\n', 1)[0] ?? '';
        if (printed.includes('\n')) resolve(line);
      });
    }),
    ended.then(() => undefined),
  ]);
  return {
    started,
    ended,
    hasEnded: () => over,
    kill: (signal) => void child.kill(signal),
    tell: (what) => {
      // It may die at this very instant: then nobody is there to be told.
      if (child.connected) child.send(what, () => undefined);
    },
  };
}

/**
 * Starts the crash server and answers when it listens, or when it died before it could: then `url` is empty. `crashAt` is `boundary:n`.
 */
export async function startChild(environment: Record<string, string>, crashAt?: string): Promise<ChildServer> {
  const child = spawnChild({ ...environment, ...(crashAt === undefined ? {} : { CRASH_AT: crashAt }) });
  return { ...child, url: (await child.started) ?? '' };
}
