import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { layGround, type Ground } from './processes/ground.ts';
import { runProcessRound } from './processes/round.ts';

// A round takes ten to thirty seconds; `npm run crash` plays a hundred of them.
const played = {
  embedded: ['npm test/1', 'npm test/2'],
  postgres: ['npm test/1'],
} as const;

describe.each(['embedded', 'postgres'] as const)('real processes (%s), killed, frozen and lied to', (mode) => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await layGround(mode, inject('databaseTemplate'));
  }, 180_000);
  afterAll(async () => ground.close(), 60_000);

  test.each(played[mode])('lose nothing, do nothing twice and claim nothing that is not so, in the round %s', { timeout: 400_000 }, async (seed) => {
    const { violations, requests, processes, folder } = await runProcessRound(ground, seed);
    expect(violations, folder).toEqual([]);
    expect(requests).toBeGreaterThanOrEqual(4);
    expect(processes).toBeGreaterThanOrEqual(1);
  });
});
