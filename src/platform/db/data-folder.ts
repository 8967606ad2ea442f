import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { Failure } from '../failure.ts';

/** How often the holder of a folder shows that it lives. */
const beatMs = 5000;
/** Without a sign of life for so long a holder on another host, or in another container, counts as dead. */
const staleMs = 20_000;

/**
 * Takes a data folder for this process alone, and answers how to give it back. The embedded database has no server that could keep two
 * processes apart. Fails with `CONFIG_INVALID` while the process that holds it lives. One that died on this host is known at once by its
 * process id; one elsewhere, where ids mean nothing here, by its missing signs of life.
 */
export function lockDataFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'process.lock');
  for (;;) {
    try {
      writeFileSync(path, `${process.pid} ${hostname()}\n`, { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (isHeld(path)) {
        throw new Failure('CONFIG_INVALID', 'Another process uses this data folder; stop it, or set QUITTANCE_DATA_DIR to another folder (several processes need PostgreSQL)');
      }
      rmSync(path, { force: true });
    }
  }
  const beat = setInterval(() => {
    const seconds = systemClock.now() / 1000;
    utimesSync(path, seconds, seconds);
  }, beatMs);
  beat.unref();
  return () => {
    clearInterval(beat);
    rmSync(path, { force: true });
  };
}

function isHeld(path: string): boolean {
  const match = /^(\d+) (.+)\n$/u.exec(readFileSync(path, 'utf8'));
  // Not written whole yet, or from elsewhere: only time tells.
  if (match === null || match[2] !== hostname()) return systemClock.now() - statSync(path).mtimeMs < staleMs;
  const pid = Number(match[1]);
  // The id is ours again after a restart of the same container.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
