import { salesforceRefusal } from './gate.ts';
import { PREFIXES, type ObjectName } from './state.ts';

/** One condition: a field, and the values that it may have. */
export interface Condition {
  readonly field: string;
  readonly values: readonly (string | boolean | null)[];
}

/** A parsed query. The groups of conditions are joined by OR, the conditions of a group by AND. */
export interface Query {
  readonly fields: readonly string[];
  readonly object: ObjectName;
  readonly groups: readonly (readonly Condition[])[];
}

const malformed = (): never => {
  throw salesforceRefusal(400, {}, 'MALFORMED_QUERY');
};

/** Words, quoted texts with backslash escapes, and signs. A quote that is not closed, or anything else, is a malformed query. */
function tokensOf(text: string): readonly string[] {
  const pattern = /\s*(?:([A-Za-z_][\w.]*)|('(?:[^'\\]|\\.)*')|([(),=]))/uy;
  const tokens: string[] = [];
  while (pattern.lastIndex < text.trimEnd().length) {
    const [, word, quoted, sign] = pattern.exec(text) ?? malformed();
    tokens.push(word ?? quoted ?? sign ?? malformed());
  }
  return tokens;
}

function literal(token: string | undefined): string | boolean | null {
  if (token === undefined) return malformed();
  if (token.startsWith("'")) return token.slice(1, -1).replaceAll(/\\(.)/gu, '$1');
  const word = token.toUpperCase();
  if (word === 'NULL') return null;
  return word === 'TRUE' || (word !== 'FALSE' && malformed());
}

/** Parses `SELECT a, b FROM Object [WHERE f = 'x' [AND|OR g IN ('y')]]`; anything else is refused with `MALFORMED_QUERY`. */
export function parseSoql(text: string): Query {
  const tokens = [...tokensOf(text)];
  const next = (): string => tokens.shift() ?? malformed();
  const expect = (word: string): void => {
    if (next().toUpperCase() !== word) malformed();
  };
  const listOf = (read: () => string | boolean | null): (string | boolean | null)[] => {
    const values = [read()];
    while (tokens[0] === ',') {
      next();
      values.push(read());
    }
    return values;
  };
  expect('SELECT');
  const fields = listOf(next) as string[];
  expect('FROM');
  const named = next();
  const object = (Object.keys(PREFIXES) as ObjectName[]).find((each) => each.toLowerCase() === named.toLowerCase());
  if (object === undefined) throw salesforceRefusal(400, {}, 'INVALID_TYPE');
  const groups: Condition[][] = [[]];
  if (tokens.length > 0) {
    expect('WHERE');
    for (let isMore = true; isMore; ) {
      const field = next();
      const sign = next().toUpperCase();
      if (sign === '=') groups.at(-1)?.push({ field, values: [literal(next())] });
      else if (sign === 'IN') {
        expect('(');
        groups.at(-1)?.push({ field, values: listOf(() => literal(next())) });
        expect(')');
      } else malformed();
      isMore = tokens.length > 0;
      if (!isMore) break;
      const join = next().toUpperCase();
      if (join === 'OR') groups.push([]);
      else if (join !== 'AND') malformed();
    }
  }
  return { fields, object, groups };
}
