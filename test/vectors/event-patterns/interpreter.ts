/**
 * A plain reading of the documents, to hold the compiled matcher against: it tries every combination of values for the fields of a pattern, one rule at a time, and
 * shares nothing with src. Slow on purpose; it takes patterns that `parsePattern` let through.
 */
type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type Place = ReadonlyMap<string, number>;
interface Value {
  readonly value: string | number | boolean | null;
  /** Which element of which array it lies in; arrays are named by the way to them. */
  readonly place: Place;
}

const isObject = (value: unknown): value is { readonly [key: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value);

/** All values of an event with the dotted path to each. */
function valuesOf(event: Json): Map<string, Value[]> {
  const all = new Map<string, Value[]>();
  const visit = (json: Json, path: string | undefined, way: string, place: Place): void => {
    if (Array.isArray(json)) {
      const items: readonly Json[] = json;
      items.forEach((item, index) => {
        const isNested = typeof item === 'object' && item !== null;
        visit(item, path, `${way}[${index}]`, isNested ? new Map([...place, [way, index]]) : place);
      });
    } else if (isObject(json)) {
      for (const [key, inner] of Object.entries(json)) visit(inner, path === undefined ? key : `${path}.${key}`, `${way}/${JSON.stringify(key)}`, place);
    } else {
      all.set(path ?? '', [...(all.get(path ?? '') ?? []), { value: json as Value['value'], place }]);
    }
  };
  visit(event, undefined, '', new Map());
  return all;
}

/** The alternatives of a pattern, each a map from a path to the list that the pattern has there. What is said last of a path counts. */
function alternativesOf(pattern: Json, prefix: string | undefined, before: readonly Map<string, readonly Json[]>[]): Map<string, readonly Json[]>[] {
  let all = [...before];
  for (const [key, inner] of Object.entries(isObject(pattern) ? pattern : {})) {
    const path = prefix === undefined ? key : `${prefix}.${key}`;
    if (key === '$or') all = (inner as readonly Json[]).flatMap((branch) => alternativesOf(branch, prefix, all));
    else if (Array.isArray(inner)) all = all.map((one) => new Map(one).set(path, inner as readonly Json[]));
    else all = alternativesOf(inner, path, all);
  }
  return all;
}

function toRegExp(wildcard: string): RegExp {
  let source = '';
  for (let at = 0; at < wildcard.length; at += 1) {
    if (wildcard[at] === '*') source += '[^]*';
    else {
      if (wildcard[at] === '\\') at += 1;
      source += `\\u{${(wildcard.codePointAt(at) ?? 0).toString(16)}}`;
      if ((wildcard.codePointAt(at) ?? 0) > 0xff_ff) at += 1;
    }
  }
  return new RegExp(`^${source}$`, 'u');
}

/** An expression for a text in the lower and upper forms of each character; these are for letters, so only signs are escaped. */
function anyCase(text: string, before: string, after: string): RegExp {
  const escape = (form: string): string => Array.from(form, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`).join('');
  return new RegExp(`^${before}${Array.from(text, (character) => `(?:${escape(character.toLowerCase())}|${escape(character.toUpperCase())})`).join('')}${after}$`, 'u');
}

function bitsOf(address: string): string | undefined {
  if (!address.includes(':')) {
    const parts = address.split('.');
    if (parts.length !== 4 || !parts.every((part) => /^\d+$/u.test(part) && Number(part) < 256)) return undefined;
    return parts.map((part) => Number(part).toString(2).padStart(8, '0')).join('');
  }
  try {
    const host = new URL(`http://[${address}]/`).hostname.slice(1, -1);
    if (address.includes('.')) return undefined;
    const [left = '', right] = host.split('::');
    const split = (side: string): string[] => (side === '' ? [] : side.split(':'));
    const [head, tail] = [split(left), right === undefined ? [] : split(right)];
    const groups = [...head, ...Array.from({ length: right === undefined ? 0 : 8 - head.length - tail.length }, () => '0'), ...tail];
    return groups.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('');
  } catch {
    return undefined;
  }
}

function isInBlock(value: Json, block: string): boolean {
  const [network = '', mask] = block.split('/');
  const [one, other] = [typeof value === 'string' ? bitsOf(value) : undefined, bitsOf(network)];
  return one !== undefined && one.length === other?.length && one.slice(0, Number(mask)) === other.slice(0, Number(mask));
}

const compare: Readonly<Record<string, (one: number, other: number) => boolean>> = {
  '=': (one, other) => one === other,
  '<': (one, other) => one < other,
  '<=': (one, other) => one <= other,
  '>': (one, other) => one > other,
  '>=': (one, other) => one >= other,
};

/** Whether a value is what one item of a list says. `exists: false` says something of the field and is dealt with elsewhere. */
function isWhat(value: Value['value'], item: Json): boolean {
  if (!isObject(item)) return value === item;
  const [[operator, operand] = ['', null]] = Object.entries(item);
  const ignoresCase = isObject(operand) ? operand['equals-ignore-case'] : undefined;
  switch (operator) {
    case 'exists':
      return operand === true;
    case 'prefix':
      return typeof value === 'string' && (ignoresCase === undefined ? value.startsWith((operand as string)) : anyCase((ignoresCase as string), '', '[^]*').test(value));
    case 'suffix':
      return typeof value === 'string' && (ignoresCase === undefined ? value.endsWith((operand as string)) : anyCase((ignoresCase as string), '[^]*', '').test(value));
    case 'equals-ignore-case':
      return typeof value === 'string' && anyCase((operand as string), '', '').test(value);
    case 'wildcard':
      return typeof value === 'string' && toRegExp((operand as string)).test(value);
    case 'cidr':
      return isInBlock(value, (operand as string));
    case 'numeric': {
      const list = operand as readonly (string | number)[];
      return typeof value === 'number' && [0, 2].every((index) => index >= list.length || compare[String(list[index])]?.(value, Number(list[index + 1])) === true);
    }
    case 'anything-but': {
      if (!isObject(operand)) return !(Array.isArray(operand) ? (operand as readonly Json[]) : [operand]).includes(value);
      const [[inner, texts] = ['', null]] = Object.entries(operand);
      return !(Array.isArray(texts) ? (texts as readonly Json[]) : [texts]).some((text) => isWhat(value, { [inner]: text }));
    }
    default:
      throw new Error(`No such operator: ${operator}`);
  }
}

const agree = (one: Place, other: Place): boolean => [...one].every(([array, index]) => (other.get(array) ?? index) === index);

/** Whether the fields can be had together, from one element of each array that they reach into. */
function canHave(fields: readonly (readonly [path: string, list: readonly Json[]])[], values: Map<string, Value[]>, chosen: Place, absent: readonly string[]): boolean {
  const [first, ...rest] = fields;
  if (first === undefined) return absent.every((path) => (values.get(path) ?? []).every(({ place }) => !agree(place, chosen)));
  const [path, list] = first;
  const mayMiss = list.some((item) => isObject(item) && item['exists'] === false);
  if (mayMiss && canHave(rest, values, chosen, [...absent, path])) return true;
  return (values.get(path) ?? []).some(({ value, place }) => agree(place, chosen) && list.some((item) => isWhat(value, item)) && canHave(rest, values, new Map([...chosen, ...place]), absent));
}

/** Says whether an event fits a pattern. */
export function fitsPlainly(pattern: unknown, event: unknown): boolean {
  const values = valuesOf(event as Json);
  return alternativesOf(pattern as Json, undefined, [new Map()]).some((fields) => canHave([...fields], values, new Map(), []));
}
