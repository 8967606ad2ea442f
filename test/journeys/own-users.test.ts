import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createExpectations } from '../../src/cli/demo/expectations.ts';
import { playOwnUsers } from '../../src/cli/demo/own-users.ts';

test('the application’s own users, as the demo plays them, come out as they must', { timeout: 240_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'quittance-own-users-'));
  const { all, expect: note } = createExpectations();
  try {
    await playOwnUsers({ folder: join(folder, 'data'), users: 20_000, expect: note, say: () => undefined, signal: AbortSignal.timeout(230_000) });
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(all.length).toBeGreaterThan(10);
  expect(all.filter((each) => !each.seen)).toEqual([]);
});
