import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** Runs a script in a process of its own that has the PostgreSQL of the tests loaded, and gives its exit code. */
async function exitCodeOf(script: string): Promise<unknown> {
  const postgres = JSON.stringify(new URL('postgres.ts', import.meta.url).href);
  const child = spawn(process.execPath, ['--input-type=module', '--eval', `await import(${postgres});${script}`], { cwd: fileURLToPath(new URL('../../', import.meta.url)), stdio: 'ignore' });
  const [code] = (await once(child, 'exit')) as [unknown];
  return code;
}

test('a process that uses the PostgreSQL of the tests ends with its own exit code, so that a run whose tests failed fails', async () => {
  expect(await exitCodeOf('process.exitCode = 7')).toBe(7);
  expect(await exitCodeOf('')).toBe(0);
});
