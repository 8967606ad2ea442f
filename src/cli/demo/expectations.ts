/** One thing that the demo must show, and whether it was seen. */
export interface Expectation {
  readonly what: string;
  readonly seen: boolean;
  /** What was seen instead, or the figures behind it. */
  readonly detail: string;
}

/** A list of what must be seen. */
export interface Expectations {
  readonly all: readonly Expectation[];
  readonly expect: (what: string, seen: boolean, detail?: string) => void;
}

/** Makes an empty list. */
export function createExpectations(): Expectations {
  const all: Expectation[] = [];
  return { all, expect: (what, seen, detail = '') => void all.push({ what, seen, detail }) };
}
