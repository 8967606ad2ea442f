/** A wildcard pattern: the literal pieces around its asterisks. One piece means that there is no asterisk. */
export type Wildcard = readonly [string, ...string[]];

/**
 * Reads a wildcard pattern, or says what is wrong with it. `*` stands for any number of characters; `\*` and `\\` stand for the characters themselves, and no
 * other escape exists; two asterisks in a row are refused (EventBridge user guide, operators, wildcard).
 */
export function parseWildcard(text: string): { readonly wildcard: Wildcard } | { readonly wrong: string } {
  const pieces: [string, ...string[]] = [''];
  let last = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charAt(at);
    if (unit === '*') {
      if (text.charAt(at - 1) === '*' && pieces[last] === '') return { wrong: 'has two asterisks in a row; one is enough' };
      last = pieces.push('') - 1;
      continue;
    }
    let literal = unit;
    if (unit === '\\') {
      at += 1;
      literal = text.charAt(at);
      if (literal !== '*' && literal !== '\\') return { wrong: 'has a backslash before something else than * or \\; write \\\\ for a backslash' };
    }
    pieces[last] = `${pieces[last] ?? ''}${literal}`;
  }
  return { wildcard: pieces };
}

/** Says whether a text fits a wildcard pattern, in time that grows with the length of both and never backtracks. */
export function fitsWildcard(wildcard: Wildcard, text: string): boolean {
  const [first] = wildcard;
  if (wildcard.length === 1) return text === first;
  const final = wildcard[wildcard.length - 1] ?? '';
  const end = text.length - final.length;
  if (end < first.length || !text.startsWith(first) || !text.endsWith(final)) return false;
  let at = first.length;
  for (let index = 1; index < wildcard.length - 1; index += 1) {
    const piece = wildcard[index] ?? '';
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
