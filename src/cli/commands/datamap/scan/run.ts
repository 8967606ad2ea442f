import { writeFileSync } from 'node:fs';
import { processSecretSources, resolveSecret } from '../../../../platform/config/load.ts';
import { CommandError } from '../../../command-error.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';

interface Flags extends JsonFlag {
  readonly write: boolean;
}

/** Drafts a declaration from a live schema, and prints it or writes it to a new file. */
export async function run(this: CliContext, flags: Flags, url: string): Promise<void> {
  const { draftDataMap } = await import('../../../../data-map.ts');
  const secrets = processSecretSources(this.process.env);
  const draft = await draftDataMap(url, secrets);
  const guesses = draft.split('\n').filter((line) => /# (?:guess|undecided)/u.test(line)).length;
  const file = flags.write ? write(resolveSecret(url, 'the URL', secrets), draft) : undefined;
  if (flags.json) printJson(this, { draft, guesses, ...(file === undefined ? {} : { file }) });
  else if (file === undefined) print(this, draft.trimEnd());
  else print(this, `${file}: ${guesses} lines to review; it becomes a connection of quittance.yaml`);
}

function write(url: string, draft: string): string {
  const file = `${new URL(url).pathname.replaceAll(/[^\w-]/gu, '')}.datamap.yaml`;
  try {
    writeFileSync(file, draft, { flag: 'wx' });
  } catch (error) {
    throw new CommandError(exitCodes.misuse, `${file} cannot be written (${(error as NodeJS.ErrnoException).code ?? 'no reason given'})`, { cause: error });
  }
  return file;
}
