/** What a sentinel e-mail address makes a vendor do. */
export type SentinelKind = 'ratelimit' | 'timeout' | 'lostanswer' | 'liar';

/**
 * How often each sentinel fires for one person at one vendor; afterwards the vendor behaves.
 * Two refusals prove that a second 429 is survived too; a liar lies for ever, or a retry would make an honest vendor of it.
 */
const FIRES: Readonly<Record<SentinelKind, number>> = { ratelimit: 2, timeout: 1, lostanswer: 1, liar: Infinity };

/** The vendor does not do the work: it answers 429 (`ratelimit`) or nothing at all (`timeout`). */
export class Interruption extends Error {
  readonly kind: 'ratelimit' | 'timeout';

  constructor(kind: 'ratelimit' | 'timeout') {
    super(`sentinel: ${kind}`);
    this.kind = kind;
  }
}

/** The sentinels of one vendor, each counted for each person. */
export interface Sentinels {
  /** Throws an `Interruption` while the person's address asks for one; call it before any work, with every address the call is about. */
  readonly visit: (email: string | undefined) => void;
  /** True once: the deletion is done, and its answer must not be sent. */
  readonly losesAnswer: (email: string | undefined) => boolean;
  /** True always for a liar: say done, change nothing. */
  readonly lies: (email: string | undefined) => boolean;
}

/** The sentinel that an address carries as the suffix of its local part (`grace+ratelimit@example.com`), if any. */
export function sentinelOf(email: string | undefined): SentinelKind | undefined {
  const suffix = email === undefined ? undefined : /\+(ratelimit|timeout|lostanswer|liar)@/iu.exec(email)?.[1];
  return suffix === undefined ? undefined : (suffix.toLowerCase() as SentinelKind);
}

/** Gives fresh counters: each person's sentinel fires again from the start. */
export function createSentinels(): Sentinels {
  const fired = new Map<string, number>();
  const fires = (email: string | undefined, kind: SentinelKind): boolean => {
    if (email === undefined || sentinelOf(email) !== kind) return false;
    const key = email.toLowerCase();
    const count = fired.get(key) ?? 0;
    if (count >= FIRES[kind]) return false;
    fired.set(key, count + 1);
    return true;
  };
  return {
    visit: (email) => {
      if (fires(email, 'ratelimit')) throw new Interruption('ratelimit');
      if (fires(email, 'timeout')) throw new Interruption('timeout');
    },
    losesAnswer: (email) => fires(email, 'lostanswer'),
    lies: (email) => fires(email, 'liar'),
  };
}
