import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { CommandError } from '../../../command-error.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { openLocal } from '../../../open-local.ts';
import { createProgress } from '../../../terminal/progress.ts';

/** Imports a mapping table, and says how many rows it read. */
export async function run(this: CliContext, flags: JsonFlag, file: string): Promise<void> {
  const size = await sizeOf(file);
  const progress = createProgress(this.process.stderr, 'importing (bytes)', this.now);
  const pieces = async function* read(): AsyncGenerator<string> {
    let done = 0;
    for await (const piece of createReadStream(file, { encoding: 'utf8' }) as AsyncIterable<string>) {
      done += Buffer.byteLength(piece);
      progress.at(done, size);
      yield piece;
    }
  };
  try {
    const { rows } = await openLocal(this, ({ mapping }) => mapping.importCsv(pieces()));
    progress.end();
    if (flags.json) printJson(this, { rows });
    else print(this, `${rows} rows read from ${file}. Rows that were there already are there once.`);
  } catch (error) {
    progress.end();
    throw error;
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    const facts = await stat(file);
    if (facts.isFile()) return facts.size;
  } catch (error) {
    throw new CommandError(exitCodes.misuse, `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'no reason given'})`, { cause: error });
  }
  throw new CommandError(exitCodes.misuse, `${file} is not a file`);
}
