import type { fetchV17, RecordsBatch } from '@platformatic/kafka';

/** What is read of a batch. */
export type KafkaBatch = Pick<RecordsBatch, 'firstOffset' | 'lastOffsetDelta' | 'attributes' | 'producerId' | 'firstTimestamp'> & {
  readonly records: readonly Pick<RecordsBatch['records'][number], 'offsetDelta' | 'timestampDelta' | 'key' | 'value' | 'headers'>[];
};

/** A transaction that was aborted, by its producer and where its first record is. */
export type AbortedTransaction = Readonly<fetchV17.FetchResponsePartitionAbortedTransaction>;

// In a batch's attributes. Source: https://kafka.apache.org/documentation/#recordbatch
const transactionalBit = 0x10;
/** Written by the broker for transactions, and no message. */
const controlBit = 0x20;
/** The type of a control record that ends a transaction as aborted: the second 16 bits of its key, behind a version. Source: https://kafka.apache.org/documentation/#controlbatch */
const abortType = 0;

/**
 * The batches of a partition that are messages, without those of aborted transactions; both are what one fetch at isolation read_committed answered, and the batches are in their order. A producer
 * is aborted from where a transaction of its begins until its next mark of an abort, so it makes no difference whether that mark, or what came before, is in the same answer: the broker names every aborted transaction that reaches
 * into what it gives, and gives nothing of one that is still open. This is how Apache's own consumer does it. Source: https://github.com/apache/kafka, `CompletedFetch.nextFetchedRecord`.
 */
export function committedBatches(batches: readonly KafkaBatch[], aborted: readonly AbortedTransaction[]): readonly KafkaBatch[] {
  const waiting = aborted.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : Number(a.firstOffset > b.firstOffset)));
  const producers = new Set<bigint>();
  return batches.filter((batch) => {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    for (let next = waiting[0]; next !== undefined && next.firstOffset <= last; next = waiting[0]) {
      producers.add(next.producerId);
      waiting.shift();
    }
    if ((batch.attributes & controlBit) !== 0) {
      if (isAbort(batch)) producers.delete(batch.producerId);
      return false;
    }
    return (batch.attributes & transactionalBit) === 0 || !producers.has(batch.producerId);
  });
}

/** Compaction may have left a control batch without its record. */
function isAbort({ records: [first] }: KafkaBatch): boolean {
  const key = first?.key;
  return key !== undefined && key !== null && key.length >= 4 && key.readInt16BE(2) === abortType;
}
