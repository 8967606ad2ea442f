/** Cuts items, in their order, into calls of at most so many and at most so many bytes. None may be larger than a call. */
export function cutIntoCalls<Item>(items: readonly Item[], bytesOf: (item: Item) => number, most: { readonly items: number; readonly bytes: number }): readonly (readonly Item[])[] {
  const calls: Item[][] = [];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    const last = calls.at(-1);
    if (last === undefined || last.length === most.items || bytes + size > most.bytes) {
      calls.push([item]);
      bytes = size;
    } else {
      last.push(item);
      bytes += size;
    }
  }
  return calls;
}
