import type { IdentifierKind } from '../../contract/identifiers.ts';
import { Failure } from '../../connector-kit/index.ts';
import { databaseShape } from './config.ts';
import { readLiveSchema, type LiveColumn, type LiveForeignKey, type LiveSchema, type LiveTable } from './live-schema.ts';
import { dialectOf, withSession } from './open-database.ts';

/** Names of tables that hold people, the likeliest first. */
const peopleTables = [/^users?$/iu, /^accounts?$/iu, /^customers?$/iu, /^(?:members?|people|persons?|profiles?|contacts?|clients?)$/iu, /user|customer|account|member/iu];

/** What a column's name says of what it holds, and what should then become of it. */
const guesses: readonly (readonly [RegExp, string])[] = [
  [/e_?mail/iu, '{ mask: "deleted-{partial_id}@example.com" }'],
  [/^(?:full_?|display_?|user_?)?name$|(?:first|last|family|given|middle|nick)_?name/iu, '{ constant: Deleted User }'],
  [/(?:^|_)ip(?:_|$)|ip_?addr|remote_addr/iu, '{ generalise: ip_network }'],
  [/birth|dob/iu, '{ generalise: year }'],
  [/preferences|settings|metadata|profile|attributes/iu, '{ constant: {} }'],
  [/phone|mobile|fax|street|address|city|zip|postal|passport|ssn|tax_?id|iban|avatar|photo|image|bio|comment|note|message|user_?agent|device|token|password|secret|latitude|longitude|location|gender|company|title|url/iu, 'null'],
];

/** Columns that hold nothing of a person by their names and types. */
const impersonal = /^(?:created|updated|deleted|modified|inserted)_(?:at|on)$|^(?:status|state|type|kind|plan|role|version|locale|currency|is_\w+|has_\w+)$/iu;

/**
 * Reads a live schema and drafts the declaration of a connection, as YAML with a remark at everything that is guessed. A draft is to be reviewed: what it
 * could not decide the check reports. Fails with `CONFIG_INVALID` where the URL is none, and like any connection where the database cannot be reached.
 */
export async function scanDatabase(url: string): Promise<string> {
  const parsed = databaseShape.shape.url.safeParse(url);
  if (!parsed.success) throw new Failure('CONFIG_INVALID', `The URL ${parsed.error.issues.map(({ message }) => message).join(', ')}`);
  return draft(await withSession({ url }, readLiveSchema), dialectOf(url));
}

function draft(schema: LiveSchema, dialect: string): string {
  const subject = peopleTables.flatMap((pattern) => [...schema.tables.values()].filter(({ name, keys }) => pattern.test(name) && keys[0]?.length === 1))[0];
  if (subject === undefined) throw new Failure('UNSUPPORTED', 'No table with a key of one column looks as if it held the people; write the map by hand');
  const linked = linkedTables(schema, subject.name);
  const rest = [...schema.tables.keys()].filter((name) => name !== subject.name && !linked.has(name));
  return [
    '# A draft, made from the schema. Review every line marked "guess"; then run: quittance datamap check',
    'connector: database',
    `url: \${env:APP_DATABASE_URL} # ${dialect}`,
    `subject: # guess: ${subject.name} holds the people`,
    `  table: ${quoted(subject.name)}`,
    `  key: ${quoted(subject.keys[0]?.[0] ?? '')}`,
    `  identifiers: { ${identifiersOf(subject).map(([kind, column]) => `${kind}: ${quoted(column)}`).join(', ')} } # guess`,
    'tables:',
    ...tableLines(schema, subject, undefined),
    ...[...linked].flatMap(([name, key]) => {
      const live = schema.tables.get(name);
      return live === undefined ? [] : tableLines(schema, live, key);
    }),
    ...(rest.length === 0 ? [] : ['# Nothing links these tables to the person; where they hold something of people, link them:', ...rest.map((name) => `#   ${name}`)]),
    '',
  ].join('\n');
}

/** Tables that lead to the subject by foreign keys, by the shortest way, each with the key that it follows. */
function linkedTables(schema: LiveSchema, subject: string): ReadonlyMap<string, LiveForeignKey> {
  const found = new Map<string, LiveForeignKey>();
  const reached = [subject];
  for (const target of reached) {
    for (const key of schema.foreignKeys) {
      if (key.target !== target || key.table === subject || found.has(key.table) || !schema.tables.has(key.table)) continue;
      found.set(key.table, key);
      reached.push(key.table);
    }
  }
  return found;
}

function identifiersOf(table: LiveTable): readonly (readonly [IdentifierKind, string])[] {
  const columns = [...table.columns.keys()];
  const first = (pattern: RegExp): string | undefined => columns.find((each) => pattern.test(each));
  const [email, phone, customer] = [first(/^e_?mail(?:_address)?$/iu) ?? first(/e_?mail/iu), first(/^(?:phone|mobile)(?:_number)?$/iu), first(/stripe_?customer/iu)];
  return [
    ['user_id', table.keys[0]?.[0] ?? ''],
    ...(email === undefined ? [] : [['email', email] as const]),
    ...(phone === undefined ? [] : [['phone', phone] as const]),
    ...(customer === undefined ? [] : [['stripe_customer', customer] as const]),
  ];
}

function tableLines(schema: LiveSchema, table: LiveTable, link: LiveForeignKey | undefined): readonly string[] {
  const key = table.keys[0];
  const own = schema.foreignKeys.filter((each) => each.table === table.name && each !== link && each.columns.length === 1);
  const unlinks = own.filter((each) => each.target === table.name && table.columns.get(each.columns[0] ?? '')?.isNullable === true);
  const keep = /invoice|billing|payment|order|receipt/iu.test(table.name);
  const joins = link !== undefined && !keep && [...table.columns.values()].every((each) => decisionOf(each) === undefined || key?.includes(each.name) === true || link.columns.includes(each.name));
  return [
    `  ${quoted(table.name)}:`,
    key === undefined ? '    # It has no key: add a unique one to the database.' : `    key: [${key.map(quoted).join(', ')}]`,
    ...(link === undefined ? [] : [`    link: { ${link.columns.map((column, index) => `${quoted(column)}: ${quoted(`${link.target}.${link.targetColumns[index] ?? ''}`)}`).join(', ')} }`]),
    ...(unlinks.length === 0 ? [] : [`    unlink: { ${unlinks.map((each) => `${quoted(each.columns[0] ?? '')}: ${quoted(`${each.target}.${each.targetColumns[0] ?? ''}`)}`).join(', ')} } # guess`]),
    ...(keep
      ? ['    keep: { legal_basis: "", for: 7y } # guess: name the law, and the column that it counts from']
      : joins
        ? ['    erase: delete # guess']
        : columnLines(table, [...(key ?? []), ...(link?.columns ?? []), ...unlinks.flatMap((each) => each.columns)])),
  ];
}

function columnLines(table: LiveTable, stays: readonly string[]): readonly string[] {
  const open = [...table.columns.values()].filter((each) => !each.isGenerated && !stays.includes(each.name));
  const decided = open.flatMap((each) => {
    const decision = decisionOf(each);
    return decision === undefined ? [] : [`      ${quoted(each.name)}: ${decision} # guess`];
  });
  const nothing = open.filter((each) => decisionOf(each) === undefined && (impersonal.test(each.name) || each.kind === 'boolean'));
  const undecided = open.filter((each) => decisionOf(each) === undefined && !nothing.includes(each));
  return [
    ...(decided.length === 0 ? ['    columns: {}'] : ['    columns:', ...decided]),
    ...(nothing.length === 0 ? [] : [`    not_personal: [${nothing.map((each) => quoted(each.name)).join(', ')}] # guess`]),
    ...undecided.map((each) => `    # undecided: ${each.name} (${each.type})`),
  ];
}

function decisionOf(column: LiveColumn): string | undefined {
  const decision = guesses.find(([pattern]) => pattern.test(column.name))?.[1];
  if (decision === undefined) return undefined;
  if (decision === '{ constant: {} }') return column.kind === 'json' ? decision : column.isNullable ? 'null' : '{ constant: "" }';
  if (decision === '{ generalise: year }') return column.kind === 'date' || column.kind === 'time' ? decision : 'null';
  if (column.kind !== 'text' && !(decision.includes('ip_network') && column.kind === 'other')) return column.isNullable && (column.kind === 'other' || column.kind === 'json' || column.kind === 'array') ? 'null' : undefined;
  return decision === 'null' && !column.isNullable ? '{ constant: "" }' : decision;
}

/** As YAML has it, where it could be taken for something else. */
const quoted = (name: string): string => (/^[A-Za-z_][\w.]*$/u.test(name) && !/^(?:null|true|false|yes|no|on|off|y|n)$/iu.test(name) ? name : JSON.stringify(name));
