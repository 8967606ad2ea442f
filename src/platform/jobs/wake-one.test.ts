import { expect, test } from 'vitest';
import { createWorkerPool, type WorkerPool } from './wake-one.ts';

function makePool(workers: readonly string[]): { readonly pool: WorkerPool; readonly woken: string[] } {
  const woken: string[] = [];
  return { pool: createWorkerPool(workers, (worker) => void woken.push(worker)), woken };
}

test('one worker is woken for each wake-up, and another one each time', () => {
  const { pool, woken } = makePool(['a', 'b', 'c']);
  for (let each = 0; each < 4; each += 1) pool.wake();
  expect(woken).toEqual(['a', 'b', 'c', 'a']);
});

test('a worker that has jobs is not woken, and one that has done them is', () => {
  const { pool, woken } = makePool(['a', 'b']);
  pool.begin('a', false);
  pool.wake();
  pool.wake();
  expect(woken).toEqual(['b', 'b']);
  pool.end('a');
  pool.wake();
  pool.wake();
  expect(woken.slice(2).toSorted()).toEqual(['a', 'b']);
});

test('a wake-up while all have jobs is made up for by the first to be done, once', () => {
  const { pool, woken } = makePool(['a', 'b']);
  pool.begin('a', false);
  pool.begin('b', false);
  pool.wake();
  pool.wake();
  expect(woken).toEqual([]);
  pool.end('b');
  expect(woken).toEqual(['b']);
  pool.end('a');
  expect(woken).toEqual(['b']);
});

test('a worker that got as many jobs as it takes has another one look for more', () => {
  const { pool, woken } = makePool(['a', 'b']);
  pool.begin('b', true);
  expect(woken).toEqual(['a']);
});
