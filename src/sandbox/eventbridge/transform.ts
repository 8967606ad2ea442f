import { AwsProblem } from './gate.ts';
import type { Json, Rule, Target } from './state.ts';

/** What the reserved variables stand for. */
export interface TransformContext {
  readonly rule: Pick<Rule, 'arn' | 'name'>;
  readonly ingestedAt: number;
}

const reserved = ['aws.events.rule-arn', 'aws.events.rule-name', 'aws.events.event.ingestion-time', 'aws.events.event', 'aws.events.event.json'];
const step = /^(?:\.(?<name>[^.[\]*]+)|\[(?<index>\d+)\]|(?<all>\[\*\]))/u;

/** Whether a text is a path of the kind that PutTargets takes: names after dots, and indices or `*` in brackets. */
function isPath(path: string): boolean {
  let rest = path.slice(1);
  if (!path.startsWith('$')) return false;
  for (let found = step.exec(rest); found !== null; found = step.exec(rest)) rest = rest.slice(found[0].length);
  return rest === '';
}

/** The value at a JSON path; undefined where there is none. A list has indices and an object has names. */
export function atPath(event: unknown, path: string): unknown {
  let rest = path.slice(1);
  let value = event;
  while (rest !== '') {
    const found = step.exec(rest);
    if (found === null) return undefined;
    const { name, index, all } = found.groups ?? {};
    rest = rest.slice(found[0].length);
    if (name !== undefined) {
      const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
      value = isObject && Object.hasOwn(value as Json, name) ? (value as Json)[name] : undefined;
    } else if (!Array.isArray(value)) {
      return undefined;
    } else if (all !== undefined) {
      const remaining = `$${rest}`;
      return value.flatMap((each) => {
        const below = atPath(each, remaining);
        return below === undefined ? [] : [below];
      });
    } else {
      value = (value as readonly unknown[])[Number(index)];
    }
  }
  return value;
}

/** The tokens of a template: strings whole, placeholders, white space, and everything else sign by sign. */
const token = /"(?:[^"\\]|\\.)*"|<[A-Za-z0-9_.-]+>|\s+|[^]/gu;
const placeholder = /<([A-Za-z0-9_.-]+)>/gu;

/** A value in a text, or in a template that is no object: strings as they are, of objects and lists the JSON without its quotes, of what is missing nothing. */
function plain(value: unknown): string {
  if (value === undefined || typeof value === 'string') return value ?? '';
  return JSON.stringify(value).replaceAll('"', '');
}

/** A value within the quotes of a field of an object: strings with their escapes, objects and lists as JSON, which breaks the field. */
function quoted(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? JSON.stringify(value).slice(1, -1) : JSON.stringify(value);
}

/** Fills a template in: that of an object gives JSON and its white space goes, all others give text. Undefined where a field has a variable that nobody defined: EventBridge takes such a template and never delivers. */
function fill(template: string, variables: ReadonlyMap<string, unknown>): string | undefined {
  const isObject = /^\s*\{[^]*\}\s*$/u.test(template);
  const unknown = (part: string): boolean => part.startsWith('<') && !variables.has(part.slice(1, -1)) && /^<[^>]+>$/u.test(part);
  if (isObject && (template.match(token) ?? []).some(unknown)) return undefined;
  const put = (text: string, shape: (value: unknown) => string): string => text.replaceAll(placeholder, (whole, name: string) => (variables.has(name) ? shape(variables.get(name)) : whole));
  return template.replaceAll(token, (part) => {
    if (part.startsWith('"')) return put(part, isObject ? quoted : plain);
    if (part.startsWith('<')) return put(part, isObject ? (value) => JSON.stringify(value === undefined ? '' : value) : plain);
    return isObject && part.trim() === '' ? '' : part;
  });
}

/**
 * The bytes that a target is given, as the user guide tells it, and where that says nothing or is contradicted, as deliveries that were recorded in September 2026
 * have it (docs/guides/event-rules.md): its Input, the part at its InputPath, its template filled in, or the
 * event as it came. Undefined where nothing can be delivered.
 */
export function inputOf(target: Target, event: Json, eventText: string, context: TransformContext): string | undefined {
  if (typeof target['Input'] === 'string') return target['Input'];
  if (typeof target['InputPath'] === 'string') return JSON.stringify(atPath(event, target['InputPath']) ?? {});
  const transformer = target['InputTransformer'] as { InputPathsMap?: Readonly<Record<string, string>>; InputTemplate: string } | undefined;
  if (transformer === undefined) return eventText;
  const variables = new Map<string, unknown>(Object.entries(transformer.InputPathsMap ?? {}).map(([name, path]) => [name, atPath(event, path)]));
  variables.set('aws.events.rule-arn', context.rule.arn);
  variables.set('aws.events.rule-name', context.rule.name);
  variables.set('aws.events.event.ingestion-time', new Date(context.ingestedAt).toISOString());
  // An older form, with the time in milliseconds and without the detail.
  const { id, account, 'detail-type': detailType, time, source, region, resources, version } = event;
  variables.set('aws.events.event', { id, account, detailType, time: Date.parse(String(time)), source, region, resources, version });
  variables.set('aws.events.event.json', event);
  return fill(transformer.InputTemplate, variables);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Refuses a transformer that EventBridge refuses when it is put. */
export function checkTransformer(id: string, transformer: Json): void {
  const refuse = (why: string): never => {
    throw new AwsProblem('ValidationException', `Invalid InputTemplate for target ${id} : ${why}`);
  };
  const { InputPathsMap: paths = {}, InputTemplate: template } = transformer as { InputPathsMap?: Readonly<Record<string, string>>; InputTemplate?: unknown };
  if (typeof template !== 'string' || template.length === 0 || template.length > 8192) return refuse('must have length between 1 and 8192');
  const names = Object.keys(paths);
  if (names.length > 100) refuse('InputPathsMap must have at most 100 entries');
  for (const name of names) {
    if (!/^[A-Za-z0-9_-]{1,256}$/u.test(name) || /^aws\./iu.test(name)) refuse(`${name} is not a valid name of a variable`);
    if (!isPath(paths[name] ?? '') || (paths[name]?.length ?? 0) > 256) refuse(`InputPath for ${name} is invalid`);
  }
  // A placeholder may stand for any value, so with a number in its place a template that is JSON reads as such; texts one below the other are taken too.
  const sample = template.replaceAll(token, (part) => (part.startsWith('<') ? '0' : part));
  const lines = sample.split('\n').filter((line) => line.trim() !== '');
  if (!isJson(sample) && !(lines.length > 0 && lines.every((line) => line.trim().startsWith('"') && isJson(line)))) refuse('must be valid JSON or quoted text');
  for (const [key] of sample.matchAll(/"(?:[^"\\]|\\.)*"\s*:/gu)) if (/<[A-Za-z0-9_.-]+>/u.test(key) && template.trim().startsWith('{')) refuse('a placeholder cannot be an object key');
  for (const name of names) if (reserved.includes(name)) refuse(`${name} is reserved`);
  const isObject = template.trim().startsWith('{');
  const inText = (template.match(token) ?? []).filter((part) => part.startsWith('"')).join('');
  if (/<aws\.events\.event(?:\.json)?>/u.test(isObject ? inText : template)) refuse('the whole event can only be the value of a field');
  return undefined;
}
