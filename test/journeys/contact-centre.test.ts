import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { playContactCentre } from '../../src/cli/demo/contact-centre.ts';
import { createExpectations } from '../../src/cli/demo/expectations.ts';

test('the contact centre’s pipeline, as the demo plays it, comes out as it must', { timeout: 240_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'quittance-contact-centre-'));
  const { all, expect: note } = createExpectations();
  try {
    await playContactCentre({ folder: join(folder, 'data'), expect: note, say: () => undefined, signal: AbortSignal.timeout(230_000) });
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(all.length).toBeGreaterThan(10);
  expect(all.filter((each) => !each.seen)).toEqual([]);
});
