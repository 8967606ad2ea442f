/** What of a text is compared without regard to case. */
export type Part = 'whole' | 'start' | 'end';

const beyondAscii = /[^\p{ASCII}]/u;

/** Says whether a text has a character beyond ASCII. */
export const isBeyondAscii = (text: string): boolean => beyondAscii.test(text);

/** Lowers A to Z and nothing else: the Kelvin sign stays what it is. */
export function lowerAscii(text: string): string {
  return isBeyondAscii(text) ? text.replace(/[A-Z]+/gu, (letters) => letters.toLowerCase()) : text.toLowerCase();
}

/** How each character of a pattern may stand in an event: as its lower or as its upper form, which may be several characters. */
function formsOf(pattern: string): readonly (readonly string[])[] {
  return Array.from(pattern, (character) => [...new Set([character.toLowerCase(), character.toUpperCase()])]);
}

/**
 * Compares as `equals-ignore-case` does, alone or within `prefix` and `suffix`. Each character of the pattern stands for its own lower and upper form; the event is
 * not normalised: `ß` in a pattern matches `ß` and `SS`, not `ss`, and `k` does not match the Kelvin sign. That is how EventBridge was seen to answer.
 */
export function createCaseTest(pattern: string, part: Part): (text: string) => boolean {
  if (!isBeyondAscii(pattern)) {
    const lowered = lowerAscii(pattern);
    if (part === 'whole') return (text) => text.length === lowered.length && lowerAscii(text) === lowered;
    return part === 'start' ? (text) => lowerAscii(text.slice(0, lowered.length)) === lowered : (text) => text.length >= lowered.length && lowerAscii(text.slice(text.length - lowered.length)) === lowered;
  }
  const forms = formsOf(pattern);
  if (part === 'end') return (text) => walk(forms.toReversed(), text, new Set([text.length]), (form, at) => (text.endsWith(form, at) ? at - form.length : undefined)).size > 0;
  return (text) => {
    const ends = walk(forms, text, new Set([0]), (form, at) => (text.startsWith(form, at) ? at + form.length : undefined));
    return part === 'whole' ? ends.has(text.length) : ends.size > 0;
  };
}

/** Every place that one gets to in a text by one form of each character. */
function walk(forms: readonly (readonly string[])[], text: string, starts: ReadonlySet<number>, step: (form: string, at: number) => number | undefined): ReadonlySet<number> {
  let places = starts;
  for (const alternatives of forms) {
    const next = new Set<number>();
    for (const place of places) {
      for (const form of alternatives) {
        const reached = step(form, place);
        if (reached !== undefined && reached >= 0 && reached <= text.length) next.add(reached);
      }
    }
    places = next;
    if (places.size === 0) break;
  }
  return places;
}
