import { readFile } from 'node:fs/promises';
import { parseTrustedKey } from '../verify/index.ts';
import { CommandError } from './command-error.ts';
import { exitCodes } from './context.ts';

/** Reads a file that was named on the command line, or says why it cannot be read. */
export async function readFileOrExplain(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : code === 'EACCES' ? 'this user may not read it' : `it cannot be read (${code ?? 'no reason given'})`;
    throw new CommandError(exitCodes.misuse, `${path}: ${why}`, { cause: error });
  }
}

/** Reads a file of verifier keys (`name+id+base64`, of a retired one followed by `until <rows>`), one a line. Fails where a line is none, since a key left out would look like a forgery. */
export async function readKeyFile(path: string): Promise<readonly string[]> {
  const lines = (await readFileOrExplain(path)).toString('utf8').split('\n').map((line) => line.trim()).filter((line) => line !== '');
  const bad = lines.find((line) => !parseTrustedKey(line).ok);
  if (lines.length === 0 || bad !== undefined) {
    throw new CommandError(exitCodes.misuse, `${path} is not a file of public log keys (one name+id+base64 a line); the server gives its own at /.well-known/quittance-log-key`);
  }
  return lines;
}
