import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetch as undiciFetch } from 'undici';
import { rowOf, sized, type BenchRow } from '../measure.ts';
import type { Pair } from '../result.ts';
import { makeInstallation, type Installation } from '../server.ts';

const entry = fileURLToPath(new URL('../open-pglite.ts', import.meta.url));
const noVendors = { stripe: 'http://127.0.0.1:9', twilio: 'http://127.0.0.1:9' } as const;

/** Milliseconds from starting Node to PGlite's first answer. */
async function openAlone(folder: string): Promise<number> {
  const start = performance.now();
  const child = spawn(process.execPath, [entry, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  const elapsed = performance.now() - start;
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`PGlite ended with ${code}`);
  return elapsed;
}

/** Milliseconds from starting Node to the first answered request. */
async function startServer(installation: Installation): Promise<number> {
  const start = performance.now();
  const server = await installation.start();
  const answer = await undiciFetch(`${server.url}/healthz`);
  await answer.text();
  const elapsed = performance.now() - start;
  if (answer.status !== 200) throw new Error(`The first request was answered ${answer.status}`);
  await server.stop();
  return elapsed;
}

/** How long a start takes. */
const start: BenchRow = {
  name: 'start',
  run: async (context) => {
    const first: Pair[] = [];
    const reopened: Pair[] = [];
    const runs = sized(context, 5, 2);
    for (let run = 1; run <= runs; run += 1) {
      const folder = mkdtempSync(join(tmpdir(), 'quittance-bench-pglite-'));
      const installation = makeInstallation(noVendors);
      try {
        const alone = join(folder, 'data');
        first.push({ reference: await openAlone(alone), measured: await startServer(installation) });
        reopened.push({ reference: await openAlone(alone), measured: await startServer(installation) });
        context.say(`start: run ${run} of ${runs}`);
      } finally {
        await installation.remove();
        rmSync(folder, { recursive: true, force: true });
      }
    }
    const head = { unit: 'ms', size: 1, goal: { how: 'at_most', factor: 1.5, plus: 300 }, against: 'PGlite alone: one database opened and one query answered' } as const;
    return [
      rowOf({ ...head, name: 'start-first', what: 'from starting Node to the first answered request, in an empty folder, embedded databases' }, first),
      rowOf({ ...head, name: 'start-reopened', what: 'the same in a folder that was used before' }, reopened),
    ];
  },
};

/** Time until a server answers. */
export const startRows: readonly BenchRow[] = [start];
