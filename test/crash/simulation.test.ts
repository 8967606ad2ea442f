import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));

/** Plays rounds of the simulation, which puts its whole process on a time of its own, and gives what was printed. */
async function play(seed: string, rounds: number, lanes: number, bug?: string): Promise<{ readonly code: number | null; readonly text: string }> {
  const planted = bug === undefined ? [] : ['--import', fileURLToPath(new URL(`./planted/${bug}.ts`, import.meta.url))];
  const child = spawn(process.execPath, [...planted, main, '--mode', 'simulation', '--seed', seed, '--rounds', String(rounds), '--lanes', String(lanes)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (part: Buffer) => {
    text += part.toString('utf8');
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return { code, text };
}

describe('the simulation', { timeout: 300_000 }, () => {
  test('ends every round of a seed without a violation', async () => {
    const { code, text } = await play('quittance', 3, 2);
    expect(text).toMatch(/3 rounds .*, 0 did not hold/u);
    expect(code, text).toBe(0);
  });

  test('plays a seed the same way, event for event, alone, after another and beside another', async () => {
    const [after, beside, alone] = [await play('again', 2, 1), await play('again', 2, 2), await play('again/2', 1, 1)];
    const played = ({ text }: { readonly text: string }): string | undefined => /seed again\/2 (.*)/u.exec(text.replaceAll(/\d+ ms/gu, ''))?.[1];
    expect(played(alone)).toMatch(/\d{3,} events/u);
    expect(played(after)).toBe(played(alone));
    expect(played(beside)).toBe(played(alone));
  });

  test('tells of its rounds in their order, whichever of them is over first', async () => {
    const { text } = await play('order', 3, 3);
    expect([...text.matchAll(/^round (\d+) /gmu)].map(([, round]) => round)).toEqual(['1', '2', '3']);
  });
});

describe('a bug that is planted is caught', { timeout: 300_000 }, () => {
  test.each(['planted/1', 'planted/131'])('where the round %s holds without it', async (seed) => {
    const { code, text } = await play(seed, 1, 1);
    expect(code, text).toBe(0);
  });

  test.each([
    ['a result that is recorded before the call', 'result-before-call', 'planted/1', /is erased, verified_absent, and the vendor holds/u],
    ['an entry that never reaches the outbox', 'dropped-outbox-row', 'planted/1', /is settled and the log tells of 0 endings/u],
    ['a lease that fences nobody out', 'lease-without-fencing', 'planted/131', /the log tells of 2 endings|a task that is settled cannot become/iu],
  ])('%s', async (_what, bug, seed, finding) => {
    const { code, text } = await play(seed, 1, 1, bug);
    expect(code).toBe(1);
    expect(text).toMatch(finding);
  });
});
