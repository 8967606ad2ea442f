import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Failure } from '../../../platform/failure.ts';
import type { ExportStorage } from './export-storage.ts';

const codeOf = (error: unknown): string => String((error as { code?: unknown }).code);

/** What a full disk or a read-only one answers needs an operator; so does a folder that is not ours. */
const refusals = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR']);

/** Gives the failure of a file system's error, without its message, which has a path. */
function storageFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const code = codeOf(error);
  if (refusals.has(code)) return new Failure('STORAGE_REFUSED', `The folder of exports cannot be used (${code}); see to its owner and rights`, { cause: error });
  return new Failure('STORAGE_UNAVAILABLE', `The folder of exports cannot be used now (${code})`, { cause: error });
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Keeps exports in a folder that only its owner can read. A file is written under another name, brought to the disk and then renamed: it is there
 * whole or not at all, whatever dies.
 */
export function createLocalStorage(folder: string): ExportStorage {
  const pathOf = (name: string): string => join(folder, name);
  const unfinished = (name: string): string => join(folder, `${name}.unfinished`);
  return {
    kind: 'local',
    encryptsItself: false,
    linkOrigin: undefined,
    link: undefined,
    put: async (name, body) => {
      let contentFailure: unknown;
      body.once('error', (error) => (contentFailure = error));
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const file = createWriteStream(unfinished(name), { mode: 0o600, flush: true });
        await pipeline(body, file);
        await rename(unfinished(name), pathOf(name));
        await syncFolder(folder);
        return file.bytesWritten;
      } catch (error) {
        body.destroy();
        // What the content failed with is not the storage's.
        throw contentFailure ?? storageFailure(error);
      }
    },
    get: async (name) => {
      const stream = createReadStream(pathOf(name));
      try {
        await new Promise((resolve, reject) => {
          stream.once('open', resolve);
          stream.once('error', reject);
        });
      } catch (error) {
        if (codeOf(error) === 'ENOENT') throw new Failure('NOT_FOUND', 'There is no such object in the export store', { cause: error });
        throw storageFailure(error);
      }
      return stream;
    },
    delete: async (name) => {
      try {
        await rm(unfinished(name), { force: true });
        await rm(pathOf(name), { force: true });
      } catch (error) {
        throw storageFailure(error);
      }
    },
  };
}
