/** A range, both ends included, and whom it concerns. */
export interface Range<Value extends number | bigint> {
  readonly first: Value;
  readonly last: Value;
  readonly entry: number;
}

/** The place of a value among sorted ends: odd on an end itself, even between two. */
function placeOf<Value extends number | bigint>(ends: readonly Value[], value: Value): number {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const end = ends[middle];
    if (end !== undefined && end < value) low = middle + 1;
    else high = middle;
  }
  return ends[low] === value ? 2 * low + 1 : 2 * low;
}

/**
 * Makes a finder of the ranges that hold a value. It looks at about as many lists as the number of ranges has binary digits, however many ranges there are, and
 * each range is kept in at most twice as many (a segment tree over the ends).
 */
export function createRangeTree<Value extends number | bigint>(ranges: readonly Range<Value>[]): (value: Value, give: (entries: readonly number[]) => void) => void {
  if (ranges.length === 0) return () => undefined;
  const ends = [...new Set(ranges.flatMap(({ first, last }) => [first, last]))].toSorted((one, other) => (one < other ? -1 : 1));
  const size = 2 * ends.length + 1;
  const lists = Array.from({ length: 2 * size }, (): number[] => []);
  for (const { first, last, entry } of ranges) {
    let [low, high] = [placeOf(ends, first) + size, placeOf(ends, last) + size + 1];
    while (low < high) {
      if (low % 2 === 1) {
        lists[low]?.push(entry);
        low += 1;
      }
      if (high % 2 === 1) {
        high -= 1;
        lists[high]?.push(entry);
      }
      low >>>= 1;
      high >>>= 1;
    }
  }
  return (value, give) => {
    for (let at = placeOf(ends, value) + size; at >= 1; at >>>= 1) {
      const list = lists[at];
      if (list !== undefined && list.length > 0) give(list);
    }
  };
}
