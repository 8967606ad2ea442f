import { writeFile } from 'node:fs/promises';
import { createApiClient } from '../../../api-client.ts';
import { CommandError } from '../../../command-error.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { requestPath } from '../../../request-id.ts';

/** Saves a certificate. */
export async function run(this: CliContext, flags: JsonFlag, id: string, file: string): Promise<void> {
  const bytes = await createApiClient(this).getBytes(`${requestPath(id)}/certificate`);
  try {
    await writeFile(file, bytes);
  } catch (error) {
    throw new CommandError(exitCodes.failed, `${file} cannot be written (${(error as NodeJS.ErrnoException).code ?? 'no reason given'})`, { cause: error });
  }
  if (flags.json) printJson(this, { file, bytes: bytes.length });
  else print(this, `${file}: ${bytes.length} bytes. Verify it: quittance certificate verify ${file} --key <log key>`);
}
