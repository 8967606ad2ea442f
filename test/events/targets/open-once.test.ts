import { expect, test } from 'vitest';
import { openOnce } from '../../../src/modules/events/targets/open-once.ts';

test('something is opened once for all who ask, after an opening that failed once more, and not at all for who only asks what is open', async () => {
  let openings = 0;
  const kept = openOnce(async () => {
    openings += 1;
    if (openings === 1) throw new Error('The library could not be read');
    return openings;
  });
  expect(await kept.opened()).toBeUndefined();
  const failed = await Promise.allSettled([kept.get(), kept.get()]);
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(openings).toBe(1);
  expect(await kept.opened()).toBeUndefined();
  expect(await Promise.all([kept.get(), kept.get()])).toEqual([2, 2]);
  expect(await kept.opened()).toBe(2);
  expect(openings).toBe(2);
});
