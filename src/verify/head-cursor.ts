import { verifyHeads, type SignedHead, type Trust, type VerifiedHead } from './heads.ts';
import { refuse, type Checked, type Refusal } from './result.ts';

/** All heads that were signed over one size; they agree on the root. */
export interface HeadsOfSize {
  readonly size: number;
  readonly root: Buffer;
  readonly heads: readonly VerifiedHead[];
}

/** Goes through signed heads by ascending size. */
export interface HeadCursor {
  /** The heads of the next size, or undefined when there are no more. */
  readonly next: () => HeadsOfSize | undefined;
  /** Moves on; refuses a head whose signature does not hold, and two roots for one size. */
  readonly advance: () => Promise<Refusal | undefined>;
}

type Batches = AsyncIterator<readonly SignedHead[]> | Iterator<readonly SignedHead[]>;

/** Reads heads one at a time out of batches, each verified when it is read. */
function createHeadReader(batches: Batches, origin: string, trust: Trust): () => Promise<Checked<{ readonly head: VerifiedHead | undefined }>> {
  let waiting: readonly VerifiedHead[] = [];
  let at = 0;
  let lastSize = -1;
  return async () => {
    while (at === waiting.length) {
      const batch = await batches.next();
      if (batch.done === true) return { ok: true, head: undefined };
      const verified = verifyHeads(batch.value, origin, trust);
      if (!verified.ok) return verified;
      waiting = verified.heads;
      at = 0;
    }
    const head = waiting[at];
    at += 1;
    if (head !== undefined && head.checkpoint.size < lastSize) return refuse('checkpoint-format', 'A stored head says another size than the one that it is kept under');
    lastSize = head?.checkpoint.size ?? lastSize;
    return { ok: true, head };
  };
}

/**
 * Makes a cursor over heads of which some, kept outside, are few and in any order, and the others, which the log stored itself, come by
 * ascending size in batches, so that memory does not grow with their number.
 */
export async function createHeadCursor(few: readonly VerifiedHead[], stored: Batches, origin: string, trust: Trust): Promise<Checked<{ readonly cursor: HeadCursor }>> {
  const readStored = createHeadReader(stored, origin, trust);
  let at = 0;
  let nextStored: VerifiedHead | undefined;
  let group: HeadsOfSize | undefined;
  const readNext = async (): Promise<Checked<{ readonly head: VerifiedHead | undefined }>> => {
    const mine = few[at];
    if (mine !== undefined && (nextStored === undefined || mine.checkpoint.size < nextStored.checkpoint.size)) {
      at += 1;
      return { ok: true, head: mine };
    }
    const head = nextStored;
    const following = await readStored();
    if (!following.ok) return following;
    nextStored = following.head;
    return { ok: true, head };
  };
  let ahead: VerifiedHead | undefined;
  const advance = async (): Promise<Refusal | undefined> => {
    if (ahead === undefined) {
      group = undefined;
      return undefined;
    }
    const { size, root } = ahead.checkpoint;
    const heads = [ahead];
    for (;;) {
      const read = await readNext();
      if (!read.ok) return read;
      ahead = read.head;
      if (ahead?.checkpoint.size !== size) break;
      if (!ahead.checkpoint.root.equals(root)) return refuse('fork', `Two different trees of ${size} rows were signed: the log was forked`, Math.max(0, size - 1));
      heads.push(ahead);
    }
    group = { size, root, heads };
    return undefined;
  };
  const first = await readStored();
  if (!first.ok) return first;
  nextStored = first.head;
  const read = await readNext();
  if (!read.ok) return read;
  ahead = read.head;
  const refused = await advance();
  return refused ?? { ok: true, cursor: { next: () => group, advance } };
}
