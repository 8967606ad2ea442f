import { Failure } from '../../../platform/failure.ts';
import type { BusEvent } from './event.ts';
import { followPath, parsePath, type JsonPath } from './json-path.ts';

/** An input transformer in EventBridge’s own terms. */
export interface TransformConfig {
  readonly InputPathsMap?: Readonly<Record<string, string>>;
  readonly InputTemplate: string;
}

interface Piece {
  readonly text: string;
  /** The variable that follows the text. */
  readonly name?: string;
  readonly isQuoted: boolean;
}

/** An input transformer that was checked. */
export interface Transform {
  readonly paths: ReadonlyMap<string, JsonPath>;
  /** The paths as they were written, for messages. */
  readonly written: ReadonlyMap<string, string>;
  readonly pieces: readonly Piece[];
  /** An object as a whole (`{…}`), several quoted lines, or anything else that is JSON: a text, a list, a variable alone. */
  readonly shape: 'object' | 'lines' | 'other';
}

/** What the reserved variables stand for beside the event. */
export interface TransformContext {
  readonly ruleName: string;
  readonly ruleArn: string;
  /** ISO 8601. EventBridge writes it in UTC with milliseconds, and it stays the same for every try. */
  readonly ingestionTime: string;
}

const limits = { paths: 100, path: 256, template: 8192 };
const reserved: ReadonlySet<string> = new Set(['aws.events.rule-arn', 'aws.events.rule-name', 'aws.events.event.ingestion-time', 'aws.events.event', 'aws.events.event.json']);
const wholeEvents: ReadonlySet<string> = new Set(['aws.events.event', 'aws.events.event.json']);
const placeholder = /<([A-Za-z0-9_.-]{1,256})>/uy;

function refuse(field: string, what: string): never {
  throw new Failure('CONFIG_INVALID', `The input transformer is not valid: ${field} ${what}.`, { field });
}

const isJsonText = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

const quoted = /[ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*/suy;

/** Whether a text is nothing but JSON strings, one after the other. */
function isLines(text: string): boolean {
  quoted.lastIndex = 0;
  while (quoted.lastIndex < text.length) {
    const line = quoted.exec(text)?.[1];
    if (line === undefined || !isJsonText(line)) return false;
  }
  return text !== '';
}

/** Cuts a template at its variables, and says of each whether it stands within quotes. */
function cut(template: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let [start, isQuoted] = [0, false];
  for (let at = 0; at < template.length; at += 1) {
    const unit = template.charAt(at);
    if (unit === '\\' && isQuoted) at += 1;
    else if (unit === '"') isQuoted = !isQuoted;
    if (unit !== '<') continue;
    placeholder.lastIndex = at;
    const found = placeholder.exec(template);
    if (found?.[1] === undefined) continue;
    pieces.push({ text: template.slice(start, at), name: found[1], isQuoted });
    at = placeholder.lastIndex - 1;
    start = placeholder.lastIndex;
  }
  return [...pieces, { text: template.slice(start), isQuoted }];
}

/** Takes the blanks between the tokens of a template away: what EventBridge passes on is minified (user guide, "Common issues with transforming input"). */
function minify(pieces: readonly Piece[]): readonly Piece[] {
  return pieces.map((piece, index) => {
    const opened = pieces[index - 1]?.isQuoted === true ? '"' : '';
    const text = `${opened}${piece.text}`.replace(/"(?:[^"\\]|\\.)*"?|[ \t\r\n]+/gsu, (token) => (token.startsWith('"') ? token : ''));
    return { ...piece, text: text.slice(opened.length) };
  });
}

/** Refuses a variable in the name of a field: the string that it stands in is followed by a colon. */
function refuseKeys(pieces: readonly Piece[], shape: Transform['shape']): void {
  if (shape !== 'object') return;
  for (const [index, { name, isQuoted }] of pieces.entries()) {
    if (name === undefined || !isQuoted) continue;
    const rest = pieces.slice(index + 1).map(({ text }) => text).join('x');
    if (/^(?:[^"\\]|\\.)*"\s*:/su.test(rest)) refuse('/InputTemplate', `has <${name}> in the name of a field; a variable can only be in a value`);
  }
}

function checkVariables(pieces: readonly Piece[], shape: Transform['shape'], paths: ReadonlyMap<string, JsonPath>): void {
  let before = '';
  for (const { text, name, isQuoted } of pieces) {
    before += text;
    if (name === undefined) continue;
    if (wholeEvents.has(name) && (shape !== 'object' || isQuoted || !/:\s*$/u.test(before))) refuse('/InputTemplate', `has <${name}> where it is not the whole value of a field; EventBridge takes it only there, in a template that is an object`);
    if (!isQuoted && !reserved.has(name) && !paths.has(name)) refuse('/InputTemplate', `has <${name}>, which InputPathsMap does not define; what it gives would never be JSON`);
    before += 'x';
  }
}

function parsePaths(map: Readonly<Record<string, string>>): ReadonlyMap<string, JsonPath> {
  const entries = Object.entries(map);
  if (entries.length > limits.paths) refuse('/InputPathsMap', `has ${entries.length} paths, and EventBridge takes ${limits.paths}`);
  const paths = new Map<string, JsonPath>();
  for (const [name, written] of entries) {
    if (!/^[A-Za-z0-9_-]{1,256}$/u.test(name)) refuse('/InputPathsMap', 'has a name that is not 1 to 256 letters, digits, - and _');
    const path = written.length > limits.path ? undefined : parsePath(written);
    if (path === undefined) refuse(`/InputPathsMap/${name}`, `must be a path such as $.detail.items[0].name, of at most ${limits.path} characters`);
    paths.set(name, path);
  }
  return paths;
}

/**
 * Checks an input transformer, and gives it in the form that `transform` takes. Fails with CONFIG_INVALID, whose `field` is the JSON pointer of what is wrong.
 * The template must be JSON once every variable is filled in, or several quoted lines. Stricter than EventBridge in one point: an unquoted variable that is not
 * defined is refused, since EventBridge would take it and then never deliver.
 * Limits: 100 paths of 256 characters, 8192 characters of template (EventBridge service description).
 */
export function parseTransform(config: TransformConfig): Transform {
  const { InputTemplate: template, InputPathsMap: map = {} } = config;
  if (template.length === 0 || template.length > limits.template) refuse('/InputTemplate', `must have 1 to ${limits.template} characters`);
  const paths = parsePaths(map);
  const pieces = cut(template);
  const filled = pieces.map(({ text, name, isQuoted }) => (name === undefined ? text : `${text}${isQuoted ? 'x' : 'null'}`)).join('');
  const isOne = isJsonText(filled);
  if (!isOne && !isLines(filled)) refuse('/InputTemplate', 'must be JSON when its variables are filled in, or lines of text that are each in quotes; a plain text needs quotes around it');
  const shape = isOne ? (filled.trimStart().startsWith('{') ? 'object' : 'other') : 'lines';
  refuseKeys(pieces, shape);
  checkVariables(pieces, shape, paths);
  return { paths, written: new Map(Object.entries(map)), pieces: shape === 'lines' ? pieces : minify(pieces), shape };
}

/** The envelope as `<aws.events.event>` gives it: without the detail, and with two fields in an older form (seen in recorded deliveries). */
function legacyEvent(event: BusEvent): Readonly<Record<string, unknown>> {
  const { id, account, source, region, resources, version } = event;
  return { id, account, detailType: event['detail-type'], time: Date.parse(event.time), source, region, resources, version };
}

function valueOf(event: BusEvent, transformer: Transform, context: TransformContext, name: string): unknown {
  switch (name) {
    case 'aws.events.rule-arn':
      return context.ruleArn;
    case 'aws.events.rule-name':
      return context.ruleName;
    case 'aws.events.event.ingestion-time':
      return context.ingestionTime;
    case 'aws.events.event':
      return legacyEvent(event);
    case 'aws.events.event.json':
      return event;
    default: {
      const path = transformer.paths.get(name);
      return path === undefined ? undefined : followPath(event, path);
    }
  }
}

function write(value: unknown, isQuoted: boolean, shape: Transform['shape']): string {
  // A path that leads nowhere: nothing within quotes, an empty string as a value of an object, nothing at all elsewhere.
  if (value === undefined) return shape === 'object' && !isQuoted ? '""' : '';
  const json = JSON.stringify(value);
  if (shape === 'object') return isQuoted && typeof value === 'string' ? json.slice(1, -1) : json;
  return typeof value === 'string' ? value : json.replaceAll('"', '');
}

/**
 * Fills a template, byte for byte as EventBridge does. The result need not be JSON: ask `isJson` before it is sent.
 *
 * A template that is an object: an unquoted variable gives its JSON value; within quotes a string gives its JSON text without the quotes around it, so that it stays
 * well formed, and an object or a list gives its JSON text, which breaks the string; a path that leads nowhere gives `""`, or nothing within quotes.
 * Any other template: a string gives itself, without quotes and without escaping, so that a quotation mark or a line break in it breaks the JSON; an object or a
 * list gives its JSON text without any quotation mark; a path that leads nowhere gives nothing. A name within quotes that is no variable stays as it is.
 *
 * Source: the user guide ("Input transformation") says only part of this, and says of escaping that there is none; where it is silent or was seen to be wrong this
 * follows deliveries of the real service that were recorded in September 2026: docs/guides/event-rules.md.
 */
export function transform(event: BusEvent, transformer: Transform, context: TransformContext): string {
  let output = '';
  for (const { text, name, isQuoted } of transformer.pieces) {
    output += text;
    if (name === undefined) continue;
    const isKnown = reserved.has(name) || transformer.paths.has(name);
    output += isKnown ? write(valueOf(event, transformer, context, name), isQuoted, transformer.shape) : `<${name}>`;
  }
  return output;
}

/** Says whether what a template gave may be sent: it is one JSON text, or, where the template had several quoted lines, still nothing but such lines. EventBridge gives anything else up as INVALID_JSON. */
export function isJson(output: string, transformer?: Transform): boolean {
  return isJsonText(output) || (transformer?.shape === 'lines' && isLines(output));
}

/** Gives what stands at a path of an event, such as `$.detail.request_id`; undefined where nothing does and where the path is none. */
export function readPath(event: BusEvent, path: string): unknown {
  const parsed = parsePath(path);
  return parsed === undefined ? undefined : followPath(event, parsed);
}

/** A variable that may spoil what leaves. */
export interface UnsafeVariable {
  readonly name: string;
  /** Where its value comes from. */
  readonly path: string;
  /**
   * `not_escaped`: a quotation mark or a line break in the value breaks or changes the JSON. `structure_in_quotes`: safe for strings and numbers, broken by an object
   * or a list. `bare`: a string stands there without quotes, so only numbers, true, false and null give JSON.
   */
  readonly why: 'not_escaped' | 'structure_in_quotes' | 'bare';
}

/** What EventBridge itself writes, in forms that have neither quotation marks nor line breaks. */
const plainPaths: ReadonlySet<string> = new Set(['$.version', '$.id', '$.account', '$.time', '$.region']);

/** Names the variables of a transformer whose place is not safe for whatever text their source may hold, each once for each reason. */
export function unsafeVariables({ pieces, shape, written }: Transform): readonly UnsafeVariable[] {
  const found = new Map<string, UnsafeVariable>();
  for (const { name, isQuoted } of pieces) {
    const path = name === undefined ? undefined : written.get(name);
    if (name === undefined || path === undefined || (isQuoted && plainPaths.has(path)) || (shape === 'object' && !isQuoted)) continue;
    const why = !isQuoted ? 'bare' : shape === 'object' ? 'structure_in_quotes' : 'not_escaped';
    found.set(`${name} ${why}`, { name, path, why });
  }
  return [...found.values()];
}
