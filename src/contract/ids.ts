/** The prefix that each kind of id carries outside, so that one kind cannot be taken for another. */
export const idPrefixes = {
  request: 'req',
  task: 'tsk',
  identifier: 'idn',
  manualTask: 'man',
} as const;

/** A kind of thing that has an id. */
export type IdKind = keyof typeof idPrefixes;

declare const brand: unique symbol;

/** A UUID (version 7) of one kind of thing, in its inside form. */
export type Id<Kind extends IdKind> = string & { readonly [brand]: Kind };

/** The id of a privacy request. */
export type RequestId = Id<'request'>;
/** The id of a task of a request's plan. */
export type TaskId = Id<'task'>;
/** The id of one identifier of a person, within one request. */
export type IdentifierId = Id<'identifier'>;
/** The id of a task that waits for a person. */
export type ManualTaskId = Id<'manualTask'>;

/** Crockford's base32 in lower case: no i, l, o, u, so that a reference can be read out on a telephone. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** Gives the outside form of an id: its prefix, `_`, and the 128 bits as 26 characters of base32. */
export function formatId(kind: IdKind, uuid: string): string {
  let bits = BigInt(`0x${uuid.replaceAll('-', '')}`);
  let text = '';
  for (let i = 0; i < 26; i += 1) {
    text = (alphabet[Number(bits & 31n)] ?? '') + text;
    bits >>= 5n;
  }
  return `${idPrefixes[kind]}_${text}`;
}

/** Reads the outside form of an id of this kind, or answers undefined when it is not one. */
export function parseId<Kind extends IdKind>(kind: Kind, text: string): Id<Kind> | undefined {
  const prefix = `${idPrefixes[kind]}_`;
  if (!text.startsWith(prefix) || text.length !== prefix.length + 26) return undefined;
  let bits = 0n;
  for (const character of text.slice(prefix.length)) {
    const value = alphabet.indexOf(character);
    if (value < 0) return undefined;
    bits = (bits << 5n) | BigInt(value);
  }
  if (bits >= 1n << 128n) return undefined;
  const hex = bits.toString(16).padStart(32, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}` as Id<Kind>;
}
