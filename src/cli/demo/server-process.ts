import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The server of the demo: a process of its own, as in production. */
export interface ServerProcess {
  readonly url: string;
  /** Asks it to stop, and kills it when it does not. */
  readonly stop: () => Promise<void>;
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<void>;
}

const mainPath = fileURLToPath(new URL('../../main.ts', import.meta.url));
/** A fresh embedded database is made in two to five seconds on a small machine. */
const startMs = 60_000;
const stopMs = 10_000;

/**
 * Starts `node src/main.ts` with these settings and nothing of Quittance's from the caller's own environment, and answers when it listens.
 * Its log goes to a file. It never outlives the caller.
 */
export async function startServerProcess(settings: Readonly<Record<string, string>>, logPath: string): Promise<ServerProcess> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('QUITTANCE_'));
  const child = spawn(process.execPath, [mainPath], { env: { ...Object.fromEntries(inherited), ...settings }, stdio: ['ignore', 'ignore', 'pipe'] });
  const killAtExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killAtExit);
  const ended = once(child, 'exit').then(() => void process.off('exit', killAtExit));
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const tooLong = setTimeout(killAtExit, stopMs);
    await ended;
    clearTimeout(tooLong);
  };
  try {
    return { url: await untilStarted(child, logPath), stop, ended };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function untilStarted(child: ChildProcess, logPath: string): Promise<string> {
  if (child.stderr === null) throw new Error('The server has no standard error');
  const file = createWriteStream(logPath);
  const lines = createInterface({ input: child.stderr });
  let last = '';
  return new Promise((resolve, reject) => {
    const tooLong = setTimeout(() => reject(new Error(`The server did not start within ${startMs / 1000} s; its log is ${logPath}`)), startMs);
    lines.on('line', (line) => {
      file.write(`${line}\n`);
      last = line;
      const url = /"url":"(http:[^"]+)"/u.exec(line)?.[1];
      if (url === undefined || !line.includes('"msg":"started"')) return;
      clearTimeout(tooLong);
      resolve(url);
    });
    lines.once('close', () => file.end());
    child.once('exit', (code, signal) => {
      clearTimeout(tooLong);
      reject(new Error(`The server ended before it listened (${signal ?? `exit code ${code ?? '?'}`}): ${last}; its log is ${logPath}`));
    });
    child.once('error', reject);
  });
}
