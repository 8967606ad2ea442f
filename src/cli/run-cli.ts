import { run } from '@stricli/core';
import { app } from './app.ts';
import { exitCodes, type CliContext } from './context.ts';

/** Runs one command line and answers its exit code: 0 done, 1 failed, 2 wrong use or configuration, 3 found what was asked for. */
export async function runCli(arguments_: readonly string[], context: CliContext): Promise<number> {
  await run(app, arguments_, context);
  const code = Number(context.process.exitCode ?? exitCodes.done);
  // The library's own codes are negative: -4 and -5 for arguments and commands that are none, the others for its own errors.
  if (code === -4 || code === -5) return exitCodes.misuse;
  return code < 0 ? exitCodes.failed : code;
}
