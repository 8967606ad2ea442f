import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../failure.ts';

/**
 * Takes a data folder for this process alone, and answers how to give it back. The embedded database has no server that could keep two
 * processes apart. Fails with `CONFIG_INVALID` while the process that holds it lives; one that died without giving it back does not count.
 */
export function lockDataFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'process.lock');
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (isAlive(readFileSync(path, 'utf8'))) {
        throw new Failure('CONFIG_INVALID', 'Another process uses this data folder; stop it, or set QUITTANCE_DATA_DIR to another folder (several processes need PostgreSQL)');
      }
      rmSync(path, { force: true });
    }
  }
  return () => rmSync(path, { force: true });
}

function isAlive(pid: string): boolean {
  const number = Number(pid);
  if (!Number.isInteger(number) || number <= 0 || number === process.pid) return false;
  try {
    process.kill(number, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
