#!/usr/bin/env node
import { systemClock } from '../platform/clock.ts';
import { runCli } from './run-cli.ts';

// Who reads only the first lines of a long list closes the pipe; that is not an error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

const { stdout, stderr, stdin, env } = process;
process.exitCode = await runCli(process.argv.slice(2), { process: { stdout, stderr, stdin, env, exitCode: null }, fetch: globalThis.fetch, now: systemClock.now });
