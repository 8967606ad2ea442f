type Give = (entries: readonly number[]) => void;

interface Branch {
  readonly next: Map<number, Branch>;
  readonly entries: number[];
}

const createBranch = (): Branch => ({ next: new Map(), entries: [] });

/** Texts by their beginnings, or by their ends. */
export interface TextTree {
  readonly add: (text: string, entry: number) => void;
  /** Gives the entries of every added text that the given one begins (or ends) with; stops at the first unit that leads nowhere. */
  readonly find: (text: string, give: Give) => void;
  readonly isEmpty: () => boolean;
}

/** Makes an empty tree of texts that are compared from their start, or from their end. */
export function createTextTree(from: 'start' | 'end'): TextTree {
  const root = createBranch();
  const unitAt = from === 'start' ? (text: string, index: number): number => text.charCodeAt(index) : (text: string, index: number): number => text.charCodeAt(text.length - 1 - index);
  const isEmpty = (): boolean => root.next.size === 0 && root.entries.length === 0;
  return {
    add: (text, entry) => {
      let branch = root;
      for (let index = 0; index < text.length; index += 1) {
        const unit = unitAt(text, index);
        const next = branch.next.get(unit) ?? createBranch();
        branch.next.set(unit, next);
        branch = next;
      }
      branch.entries.push(entry);
    },
    find: (text, give) => {
      if (isEmpty()) return;
      let branch: Branch | undefined = root;
      for (let index = 0; branch !== undefined; index += 1) {
        if (branch.entries.length > 0) give(branch.entries);
        if (index >= text.length) return;
        branch = branch.next.get(unitAt(text, index));
      }
    },
    isEmpty,
  };
}

interface Node extends Branch {
  /** The node of the longest end of this one's text that is a beginning of some fragment. */
  fallback: Node | undefined;
  /** The nearest node on the way of fallbacks that has entries. */
  shorter: Node | undefined;
  readonly next: Map<number, Node>;
}

const createNode = (): Node => ({ next: new Map(), entries: [], fallback: undefined, shorter: undefined });

function linkFallbacks(root: Node): void {
  const queue: Node[] = [root];
  for (const node of queue) {
    for (const [unit, child] of node.next) {
      let fallback = node.fallback;
      while (fallback !== undefined && !fallback.next.has(unit)) fallback = fallback.fallback;
      child.fallback = fallback?.next.get(unit) ?? root;
      child.shorter = child.fallback.entries.length > 0 ? child.fallback : child.fallback.shorter;
      queue.push(child);
    }
  }
}

/** Makes a finder of the fragments that stand anywhere in a text, in one pass over it however many there are (Aho and Corasick, 1975). */
export function createFragmentFinder(fragments: readonly (readonly [text: string, entry: number])[]): (text: string, give: Give) => void {
  if (fragments.length === 0) return () => undefined;
  const root = createNode();
  for (const [text, entry] of fragments) {
    let node = root;
    for (let index = 0; index < text.length; index += 1) {
      const unit = text.charCodeAt(index);
      const next = node.next.get(unit) ?? createNode();
      node.next.set(unit, next);
      node = next;
    }
    node.entries.push(entry);
  }
  linkFallbacks(root);
  return (text, give) => {
    let node = root;
    for (let index = 0; index < text.length; index += 1) {
      const unit = text.charCodeAt(index);
      while (!node.next.has(unit) && node.fallback !== undefined) node = node.fallback;
      node = node.next.get(unit) ?? root;
      for (let hit: Node | undefined = node.entries.length > 0 ? node : node.shorter; hit !== undefined; hit = hit.shorter) give(hit.entries);
    }
  };
}
