import { describe, expect, test } from 'vitest';
import { committedBatches, type AbortedTransaction, type KafkaBatch } from './consume-committed.ts';

const transactional = 0x10;
const control = 0x20;

const records = (count: number, key: Buffer | null = null): KafkaBatch['records'] => Array.from({ length: count }, (_, at) => ({ offsetDelta: at, timestampDelta: 0n, key, value: Buffer.from('{}'), headers: [] }));
const batch = (producer: number, first: number, count: number, attributes: number = transactional): KafkaBatch => ({
  firstOffset: BigInt(first),
  lastOffsetDelta: count - 1,
  attributes,
  producerId: BigInt(producer),
  firstTimestamp: 0n,
  records: records(count),
});
/** A control batch: version 0, then type 0 for an abort and 1 for a commit. */
const mark = (type: 0 | 1, producer: number, at: number): KafkaBatch => ({ ...batch(producer, at, 1, transactional | control), records: records(1, Buffer.from([0, 0, 0, type])) });
const abort = (producer: number, at: number): KafkaBatch => mark(0, producer, at);
const commit = (producer: number, at: number): KafkaBatch => mark(1, producer, at);
const ended = (producer: number, first: number): AbortedTransaction => ({ producerId: BigInt(producer), firstOffset: BigInt(first) });
const places = (batches: readonly KafkaBatch[], aborted: readonly AbortedTransaction[]): number[] => committedBatches(batches, aborted).map((each) => Number(each.firstOffset));

describe('of what a partition answered', () => {
  test('an aborted transaction is left out, and the same one committed is not', () => {
    expect(places([batch(1, 0, 3), abort(1, 3)], [ended(1, 0)])).toEqual([]);
    expect(places([batch(1, 0, 3), commit(1, 3)], [])).toEqual([0]);
  });

  test('two aborted transactions of one producer are left out, and the committed one between them is taken', () => {
    const batches = [batch(1, 0, 2), abort(1, 2), batch(1, 3, 2), commit(1, 5), batch(1, 6, 2), abort(1, 8), batch(1, 9, 1), commit(1, 10)];
    expect(places(batches, [ended(1, 0), ended(1, 6)])).toEqual([3, 9]);
    // In whichever order the broker names them.
    expect(places(batches, [ended(1, 6), ended(1, 0)])).toEqual([3, 9]);
  });

  test('an aborted transaction is left out where the mark of its abort comes in a later answer, and in that answer too', () => {
    const long = [ended(1, 0)];
    expect(places([batch(1, 0, 2), batch(1, 2, 2)], long)).toEqual([]);
    expect(places([batch(1, 4, 2), batch(1, 6, 2)], long)).toEqual([]);
    expect(places([batch(1, 8, 2), abort(1, 10), batch(1, 11, 1), commit(1, 12)], long)).toEqual([11]);
  });

  test('the mark of an abort that had no record here takes nothing of a committed transaction before it', () => {
    expect(places([batch(1, 0, 2), abort(1, 2), batch(1, 3, 2), commit(1, 5), abort(1, 6)], [ended(1, 0)])).toEqual([3]);
  });

  test('what other producers wrote meanwhile is taken, in a transaction or not', () => {
    expect(places([batch(1, 0, 1), batch(2, 1, 1), batch(-1, 2, 1, 0), batch(1, 3, 1), commit(2, 4), abort(1, 5)], [ended(1, 0)])).toEqual([1, 2]);
  });

  test('what an aborted producer wrote before its transaction, and outside of one, is taken', () => {
    expect(places([batch(1, 0, 1), commit(1, 1), batch(1, 2, 1, 0), batch(1, 3, 1), abort(1, 4)], [ended(1, 3)])).toEqual([0, 2]);
  });

  test('no mark is a message, nor an emptied one an abort', () => {
    expect(places([batch(1, 0, 1), { ...abort(1, 1), records: [] }, batch(1, 2, 1), abort(1, 3), batch(1, 4, 1), commit(1, 5)], [ended(1, 0)])).toEqual([4]);
  });
});
