import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where a program of the system is, or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/sbin', '/usr/local/bin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/**
 * Why tests that need a program are left out, for their titles; undefined where it is there. Also undefined in continuous integration, which has installed it or
 * else has to fail: a test that is left out there would be missed by nobody.
 */
export function whyMissing(name: string, debianPackage: string): string | undefined {
  if (findProgram(name) !== undefined || process.env['TESTS_SKIP_NOTHING'] === '1') return undefined;
  return `${name} is not installed (Debian: ${debianPackage})`;
}
