import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeRows, signHead, testOrigin, testSigner } from '../../test/vectors/audit/make-log.ts';
import { signCheckpoint } from './checkpoint.ts';
import type { SignedHead } from './heads.ts';
import { verifyLog, type LogVerification } from './log.ts';

const rows = makeRows(60);
const trust = { keys: [testSigner().verifierKey.text] };
const noteAt = Array.from({ length: 61 }, (_, size) => signHead(rows, size));
const head = (size: number, source: SignedHead['source'] = 'stored'): SignedHead => ({ note: noteAt[size] ?? '', source });
const forkAt = (size: number, source: SignedHead['source']): SignedHead => ({ note: signCheckpoint({ origin: testOrigin, size, root: Buffer.alloc(32, 1) }, testSigner()), source });

async function* inBatches(heads: readonly SignedHead[], size: number, onRead?: (from: number) => void): AsyncGenerator<readonly SignedHead[]> {
  for (let at = 0; at < heads.length; at += size) {
    onRead?.(at);
    yield heads.slice(at, at + size);
  }
}
const verify = (change: Partial<LogVerification>) => verifyLog({ origin: testOrigin, rows: [rows], heads: [], trust, ...change });

describe('heads that stream by beside the rows', () => {
  it('are judged as the same heads given at once are, whatever is among them and however they are cut into batches', async () => {
    const sizes = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 20 }).map((list) => list.toSorted((a, b) => a - b));
    const damage = fc.option(fc.record({ size: fc.integer({ min: 1, max: 60 }), isExported: fc.boolean() }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(sizes, sizes, damage, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 0, max: 60 }), async (stored, exported, damaged, batch, cut) => {
        const own = stored.map((size) => (damaged?.isExported === false && damaged.size === size ? forkAt(size, 'stored') : head(size)));
        const others = exported.map((size) => (damaged?.isExported === true && damaged.size === size ? forkAt(size, 'exported') : head(size, 'exported')));
        const kept = rows.slice(0, 60 - cut);
        const atOnce = await verify({ rows: [kept], heads: [...own, ...others] });
        const streamed = await verify({ rows: [kept], heads: others, storedHeads: inBatches(own, batch) });
        expect(streamed.ok).toBe(atOnce.ok);
        if (streamed.ok || atOnce.ok) expect(streamed).toEqual(atOnce);
      }),
      { numRuns: 200 },
    );
  });

  it('are read no further than the rows have come, so that memory does not grow with them', async () => {
    const read: number[] = [];
    const seen: number[] = [];
    const stored = Array.from({ length: 60 }, (_, at) => head(at + 1));
    const slowly = async function* slowly() {
      for (const row of rows) {
        yield [row];
        seen.push((read.at(-1) ?? 0) - row.seq);
      }
    };
    expect(await verify({ rows: slowly(), storedHeads: inBatches(stored, 5, (from) => read.push(from)) })).toMatchObject({ ok: true, signedSize: 60 });
    expect(read).toHaveLength(12);
    expect(Math.max(...seen)).toBeLessThanOrEqual(5);
  });

  it('are refused when one is forged, of another key, beyond the end, or under another size than it says', async () => {
    const stranger: SignedHead = { note: signHead(rows, 30, testSigner(3)), source: 'stored' };
    const cases = [
      [[head(10), forkAt(20, 'stored'), head(30)], 'head-root'],
      [[head(10), stranger], 'signature'],
      [[head(10), head(60), forkAt(70, 'stored')], 'truncated'],
      [[head(20), head(10)], 'checkpoint-format'],
      [[head(10), head(20), { note: 'no note', source: 'stored' as const }], 'note-format'],
    ] as const;
    for (const [stored, check] of cases) {
      for (const batch of [1, 100]) {
        // Within one batch the order is made by the sizes that the heads say.
        if (check === 'checkpoint-format' && batch > 1) continue;
        expect(await verify({ storedHeads: inBatches(stored, batch) }), check).toMatchObject({ ok: false, check });
      }
    }
    expect(await verify({ heads: [forkAt(20, 'exported')], storedHeads: inBatches([head(10), head(20)], 1) })).toMatchObject({ ok: false, check: 'fork', seq: 19 });
    expect(await verify({ heads: [head(20, 'exported')], storedHeads: inBatches([head(10), head(20)], 1) })).toMatchObject({ ok: true, signedSize: 20 });
  });

  it('leave the age of what no head covers to be told: the first row after the last head counts', async () => {
    const firstUnsigned = Date.UTC(2026, 10, 1) + 40 * 1000;
    const headAge = (ms: number) => ({ nowMs: firstUnsigned + ms, maxMs: 1000 });
    expect(await verify({ storedHeads: inBatches([head(10), head(40)], 1), headAge: headAge(1000) })).toMatchObject({ ok: true, signedSize: 40 });
    expect(await verify({ storedHeads: inBatches([head(10), head(40)], 1), headAge: headAge(1001) })).toMatchObject({ ok: false, check: 'head-age', seq: 40 });
  });
});
