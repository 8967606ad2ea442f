/** What a sentinel number makes of a deletion of something that belongs to it. */
export type SentinelBehaviour = 'rate_limited' | 'hangs' | 'answer_lost' | 'lies' | 'not_final';

/** A kind of object that a deletion is about; some sentinels play on messages only. */
export type DeletionTarget = 'message' | 'media' | 'other';

interface Sentinel {
  readonly digits: string;
  readonly behaviour: SentinelBehaviour;
  /** How many deletions it plays on, for each number; afterwards the number is an ordinary one. */
  readonly times: number;
  readonly targets: readonly DeletionTarget[];
}

const all: readonly DeletionTarget[] = ['message', 'media', 'other'];

/** The phone numbers, by their last four digits, whose data fails to go. The whole table is in docs/reference/simulators-twilio.md. */
export const sentinels: readonly Sentinel[] = [
  { digits: '0109', behaviour: 'not_final', times: 2, targets: ['message'] },
  { digits: '0129', behaviour: 'rate_limited', times: 2, targets: all },
  { digits: '0140', behaviour: 'hangs', times: 1, targets: all },
  { digits: '0141', behaviour: 'answer_lost', times: 1, targets: all },
  { digits: '0166', behaviour: 'lies', times: Infinity, targets: ['message', 'media'] },
];

/**
 * Promises the misbehaviour to play on this deletion, and counts it against the number it came from.
 * `addresses` are those of the object's parties; `whatsapp:` and plain forms of one number count as one.
 */
export function takeSentinel(played: Map<string, number>, addresses: readonly string[], target: DeletionTarget): SentinelBehaviour | undefined {
  for (const address of addresses) {
    const number = address.replace(/^[a-z]+:/u, '');
    const sentinel = sentinels.find((each) => number.startsWith('+') && number.endsWith(each.digits));
    if (sentinel === undefined || !sentinel.targets.includes(target)) continue;
    const times = played.get(number) ?? 0;
    if (times >= sentinel.times) continue;
    played.set(number, times + 1);
    return sentinel.behaviour;
  }
  return undefined;
}
