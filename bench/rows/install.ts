import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { rowOf, type BenchRow } from '../measure.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);
/** An installation that takes longer has failed. */
const patienceMs = 300_000;

/** Runs `npm ci` in a new folder with an empty cache, and gives its seconds and the size of what it installed in megabytes. */
async function install(options: readonly string[]): Promise<{ readonly seconds: number; readonly megabytes: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'quittance-bench-install-'));
  try {
    for (const file of ['package.json', 'package-lock.json', '.npmrc']) if (existsSync(join(root, file))) copyFileSync(join(root, file), join(folder, file));
    const start = performance.now();
    await run('npm', ['ci', '--no-audit', '--no-fund', '--cache', join(folder, 'cache'), ...options], { cwd: folder, timeout: patienceMs });
    const seconds = (performance.now() - start) / 1000;
    const kib = Number(execFileSync('du', ['-sk', 'node_modules'], { cwd: folder, encoding: 'utf8' }).split('\t', 1)[0]);
    return { seconds, megabytes: (kib * 1024) / 1e6 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What setting up takes. Needs the package registry that npm is set up for. */
const installing: BenchRow = {
  name: 'install',
  run: async (context) => {
    const whole = await install([]);
    context.say(`install: npm ci took ${whole.seconds.toFixed(1)} s`);
    const production = await install(['--omit=dev']);
    const head = { against: '–', size: 1 } as const;
    return [
      rowOf({ ...head, name: 'install-time', what: '`npm ci` with an empty cache, devDependencies included', unit: 's', goal: { how: 'at_most', factor: 0, plus: 60 } }, [{ measured: whole.seconds, reference: null }]),
      rowOf({ ...head, name: 'install-size', what: '`node_modules` after `npm ci --omit=dev`', unit: 'MB', goal: { how: 'at_most', factor: 0, plus: 250 } }, [{ measured: production.megabytes, reference: null }]),
    ];
  },
};

/** Time and size of an installation. */
export const installRows: readonly BenchRow[] = [installing];
