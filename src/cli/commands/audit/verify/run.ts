import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyFolder, type FileReader, type SignedHead } from '../../../../verify/index.ts';
import { createApiClient, readAnswer } from '../../../api-client.ts';
import { auditResultSchema } from '../../../api-schemas.ts';
import { createLogReader } from '../../../audit-over-http.ts';
import { CommandError } from '../../../command-error.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { openLocal } from '../../../open-local.ts';
import { readFileOrExplain, readKeyFile } from '../../../read-file.ts';
import { createProgress } from '../../../terminal/progress.ts';

interface Flags extends JsonFlag {
  readonly fromCheckpoint?: string;
  readonly folder?: string;
  readonly key?: string;
  readonly database: boolean;
}

/** What a verification came to, in the API's words. */
interface Result {
  readonly ok: boolean;
  readonly size?: number | undefined;
  readonly signed_size?: number | undefined;
  readonly grade?: string | undefined;
  readonly check?: string | undefined;
  readonly message?: string | undefined;
  readonly seq?: number | undefined;
}

/** Verifies the log where it was asked to, and names the first bad row and what is wrong with it. */
export async function run(this: CliContext, flags: Flags): Promise<void> {
  const result = await verify(this, flags);
  if (!result.ok) this.process.exitCode = exitCodes.found;
  if (flags.json) printJson(this, result);
  else print(this, describeResult(result));
}

async function verify(context: CliContext, flags: Flags): Promise<Result> {
  const note = flags.fromCheckpoint === undefined ? undefined : (await readFileOrExplain(flags.fromCheckpoint)).toString('utf8');
  if (flags.database) {
    if (flags.folder !== undefined || flags.key !== undefined) throw new CommandError(exitCodes.misuse, '--database takes neither --folder nor --key: its key is the installation’s own');
    return verifyDatabase(context, note);
  }
  if (flags.folder !== undefined && flags.key === undefined) {
    throw new CommandError(exitCodes.misuse, '--folder needs --key: a key that lies in the same folder proves nothing. Use the one that you were given with a certificate or kept from before');
  }
  if (flags.key !== undefined) {
    const read = flags.folder === undefined ? createLogReader(createApiClient(context)) : createFolderReader(flags.folder);
    return verifyPublished(context, read, await readKeyFile(flags.key), note);
  }
  return readAnswer(auditResultSchema, await createApiClient(context).post('/v1/audit/verification', note === undefined ? {} : { from_checkpoint: note }));
}

function createFolderReader(folder: string): FileReader {
  return async (path) => {
    try {
      return await readFile(join(folder, path));
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  };
}

async function verifyPublished(context: CliContext, read: FileReader, keys: readonly string[], note: string | undefined): Promise<Result> {
  const heads: readonly SignedHead[] = note === undefined ? [] : [{ note, source: 'exported' }];
  const progress = createProgress(context.process.stderr, 'verifying', context.now);
  try {
    const result = await verifyFolder(read, { trust: { keys }, heads, onProgress: (rows) => progress.at(rows) });
    return result.ok ? { ok: true, size: result.size, signed_size: result.signedSize, grade: result.grade } : result;
  } finally {
    progress.end();
  }
}

async function verifyDatabase(context: CliContext, note: string | undefined): Promise<Result> {
  const progress = createProgress(context.process.stderr, 'verifying', context.now);
  try {
    return await openLocal(context, async ({ audit }) => {
      const result = await audit.verification.run({ onProgress: (rows) => progress.at(rows), ...(note === undefined ? {} : { fromCheckpoint: note }) });
      return result.ok ? { ok: true, size: result.size, signed_size: result.signedSize, grade: result.grade } : result;
    });
  } finally {
    progress.end();
  }
}

function describeResult(result: Result): string {
  if (result.ok) return `VALID: ${result.size ?? 0} rows, ${result.signed_size ?? 0} of them under a signed head (grade: ${result.grade ?? 'none'})`;
  const where = result.seq === undefined ? '' : `first bad row: ${result.seq}; `;
  return `NOT VALID: ${result.message ?? ''} (${where}check: ${result.check ?? ''})`;
}
