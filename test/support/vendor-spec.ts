import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';

interface Parameter {
  readonly $ref?: string;
  readonly name: string;
  readonly in: 'query' | 'path' | 'header' | 'cookie';
  readonly required?: boolean;
  readonly schema?: object;
}
interface Body {
  readonly required?: boolean;
  readonly content?: Readonly<Record<string, { readonly schema?: { readonly properties?: object; readonly additionalProperties?: unknown; readonly $ref?: string } }>>;
}
interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Body & { readonly $ref?: string };
  readonly responses?: Readonly<Record<string, Body & { readonly $ref?: string }>>;
}
interface Document {
  readonly servers?: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** A vendor's own description of its API, ready to hold requests and answers against. */
export interface VendorSpec {
  readonly document: Document;
  readonly ajv: { readonly form: Ajv; readonly json: Ajv };
}

/** A request as it went out. `url` may be any host: only path and query are held against the description. */
export interface SentRequest {
  readonly method: string;
  readonly url: string;
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
}

/** Turns OpenAPI 3.0's `nullable` and boolean `exclusiveMinimum` into JSON Schema, throughout; nothing moves, so pointers stay right. */
function toJsonSchema(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(toJsonSchema);
  if (typeof node !== 'object' || node === null) return node;
  const copy: Record<string, unknown> = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, toJsonSchema(value)]));
  for (const bound of ['Minimum', 'Maximum']) {
    if (typeof copy[`exclusive${bound}`] !== 'boolean') continue;
    if (copy[`exclusive${bound}`] === true) copy[`exclusive${bound}`] = copy[bound.toLowerCase()];
    else delete copy[`exclusive${bound}`];
  }
  if (typeof copy['nullable'] !== 'boolean') return copy;
  const { nullable, ...rest } = copy;
  if (!nullable) return rest;
  if (Array.isArray(rest['enum'])) rest['enum'] = [...(rest['enum'] as unknown[]), null];
  if (typeof rest['type'] === 'string') return { ...rest, type: [rest['type'], 'null'] };
  for (const union of ['anyOf', 'oneOf']) if (Array.isArray(rest[union])) return { ...rest, [union]: [...(rest[union] as unknown[]), { type: 'null' }] };
  return rest['$ref'] === undefined && rest['allOf'] === undefined ? rest : { anyOf: [rest, { type: 'null' }] };
}

/**
 * Reads a vendor's OpenAPI description, for example `stripe/stripe.v1.trimmed.openapi.json`, from the folder of descriptions that may lie
 * beside the repository (`../shared/specs`). Answers undefined where it is absent, so that a test can skip and say so.
 */
export function loadVendorSpec(path: string): VendorSpec | undefined {
  const file = resolve(import.meta.dirname, '../../../shared/specs', path);
  if (!existsSync(file)) return undefined;
  const document = toJsonSchema(JSON.parse(readFileSync(file, 'utf8'))) as Document;
  const make = (coerceTypes: boolean): Ajv => {
    const ajv = new Ajv({ strict: false, validateSchema: false, validateFormats: false, unicodeRegExp: false, allErrors: true, coerceTypes });
    ajv.addSchema(document, 'spec');
    return ajv;
  };
  return { document, ajv: { form: make(true), json: make(false) } };
}

const escapePointer = (part: string): string => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));

interface Found {
  readonly template: string;
  readonly pointer: string;
  readonly operation: Operation;
  readonly parameters: readonly (Parameter & { readonly pointer: string })[];
  readonly values: Readonly<Record<string, string>>;
}

function derefParameter(spec: VendorSpec, parameter: Parameter, pointer: string): Parameter & { readonly pointer: string } {
  if (parameter.$ref === undefined) return { ...parameter, pointer };
  let node: unknown = spec.document;
  for (const part of parameter.$ref.slice(2).split('/')) node = (node as Record<string, unknown>)[decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')];
  return { ...(node as Parameter), pointer: parameter.$ref.slice(1) };
}

/** The operation for a method and path; of several templates that fit, the one with the most literal text. */
function findOperation(spec: VendorSpec, method: string, pathname: string): Found | undefined {
  const bases = [...new Set(['', ...(spec.document.servers ?? []).map((server) => new URL(server.url, 'https://vendor.example').pathname.replace(/\/$/u, ''))])];
  const fits: (Found & { readonly literal: number })[] = [];
  for (const [template, item] of Object.entries(spec.document.paths)) {
    const operation = item[method.toLowerCase()] as Operation | undefined;
    if (operation === undefined) continue;
    const names: string[] = [];
    const pattern = template.split(/(\{[^}]+\})/u).map((part) => {
      if (!part.startsWith('{')) return part.replaceAll(/[.*+?^${}()|[\]\\]/gu, '\\$&');
      names.push(part.slice(1, -1));
      return '([^/]+)';
    });
    for (const base of bases) {
      const match = new RegExp(`^${base}${pattern.join('')}$`, 'u').exec(pathname);
      if (match === null) continue;
      const at = `/paths/${escapePointer(template)}`;
      const own = (operation.parameters ?? []).map((each, index) => derefParameter(spec, each, `${at}/${method.toLowerCase()}/parameters/${index}`));
      const common = ((item['parameters'] ?? []) as Parameter[]).map((each, index) => derefParameter(spec, each, `${at}/parameters/${index}`));
      const parameters = [...own, ...common.filter((each) => !own.some((mine) => mine.name === each.name && mine.in === each.in))];
      const values = Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(match[index + 1] ?? '')]));
      fits.push({ template, pointer: `${at}/${method.toLowerCase()}`, operation, parameters, values, literal: template.replaceAll(/\{[^}]+\}/gu, '').length });
    }
  }
  return fits.toSorted((left, right) => right.literal - left.literal)[0];
}

type FormNode = string | FormNode[] | { [key: string]: FormNode };

function settleArrays(node: FormNode): FormNode {
  if (typeof node === 'string' || Array.isArray(node)) return node;
  const entries = Object.entries(node).map(([key, value]) => [key, settleArrays(value)] as const);
  const isList = entries.length > 0 && entries.every(([key]) => /^\d+$/u.test(key));
  return isList ? entries.map(([, value]) => value) : Object.fromEntries(entries);
}

/** Decodes a form or query with brackets into the nested value that the vendor sees; `a[]`, `a[0]` and a repeated `a` are lists. */
function decodeNested(pairs: URLSearchParams): Record<string, FormNode> {
  const root: Record<string, FormNode> = {};
  for (const [key, value] of pairs) {
    const [head = key, ...rest] = key.replaceAll(']', '').split('[');
    let node = root;
    const path = [head, ...rest];
    for (const [index, part] of path.entries()) {
      const step = part === '' ? String(Object.keys(node).length) : part;
      const old = node[step];
      if (index < path.length - 1) node = typeof old === 'object' && !Array.isArray(old) ? old : (node[step] = {});
      else if (old === undefined) node[step] = value;
      else node[step] = Array.isArray(old) ? [...old, value] : [old, value];
    }
  }
  return settleArrays(root) as Record<string, FormNode>;
}

/** Says where and why, without the value: that may be a person's. */
const explain = (where: string, errors: readonly ErrorObject[] | null | undefined): string[] =>
  (errors ?? []).map((error) => `${where}${error.instancePath}: ${error.message ?? error.keyword} ${JSON.stringify(error.params)}`);

function compile(ajv: Ajv, pointer: string): ValidateFunction {
  return ajv.getSchema(`spec#${pointer}`) ?? ajv.compile({ $ref: `spec#${pointer}` });
}

function check(ajv: Ajv, pointer: string, where: string, value: unknown): string[] {
  const validate = compile(ajv, pointer);
  // Coercion writes into the parent; a scalar needs one.
  const holder = { value };
  return (validate as (data: unknown, context?: unknown) => boolean)(holder.value, { instancePath: '', parentData: holder, parentDataProperty: 'value', rootData: holder, dynamicAnchors: {} })
    ? []
    : explain(where, validate.errors);
}

function unknownFields(schema: { readonly properties?: object; readonly additionalProperties?: unknown } | undefined, value: unknown): string[] {
  if (schema?.properties === undefined || schema.additionalProperties !== undefined || typeof value !== 'object' || value === null) return [];
  return Object.keys(value).filter((key) => !Object.hasOwn(schema.properties ?? {}, key)).map((key) => `body: the description has no field ${key}`);
}

function checkBody(spec: VendorSpec, found: Found, request: SentRequest): string[] {
  const body = found.operation.requestBody;
  const text = request.body ?? '';
  if (body === undefined || Object.keys(body.content ?? {}).length === 0) return text === '' ? [] : ['body: the description has none'];
  if (text === '') return body.required === true ? ['body: is required'] : [];
  const type = (request.contentType ?? '').split(';', 1)[0]?.trim() ?? '';
  const content = body.content?.[type];
  if (content === undefined) return [`content type: ${type} is not one of ${Object.keys(body.content ?? {}).join(', ')}`];
  const isForm = type === 'application/x-www-form-urlencoded';
  const value: unknown = isForm ? decodeNested(new URLSearchParams(text)) : JSON.parse(text);
  const pointer = `${found.pointer}/requestBody/content/${escapePointer(type)}/schema`;
  return [...unknownFields(content.schema, value), ...check(isForm ? spec.ajv.form : spec.ajv.json, pointer, 'body', value)];
}

/** Some descriptions name list parameters with their brackets. */
const nameOf = (parameter: Parameter): string => parameter.name.replace(/\[\]$/u, '');

/**
 * Holds one sent request against the vendor's description: the path and method exist, path and query parameters are declared and valid, the
 * required ones are there, the body's content type and shape fit. Answers what does not fit, naming fields and rules, never values.
 */
export function checkRequest(spec: VendorSpec, request: SentRequest): string[] {
  const url = new URL(request.url, 'https://vendor.example');
  const found = findOperation(spec, request.method, url.pathname);
  if (found === undefined) return [`path: the description has no ${request.method.toUpperCase()} on a path of this form`];
  const problems: string[] = [];
  const query = decodeNested(url.searchParams);
  const declared = found.parameters.filter((each) => each.in === 'query');
  for (const name of Object.keys(query)) {
    if (!declared.some((each) => nameOf(each) === name || each.name.startsWith(`${name}[`) || each.name.startsWith(`${name}<`) || each.name === name)) problems.push(`query: the description has no parameter ${name}`);
  }
  for (const parameter of found.parameters) {
    if (parameter.in !== 'query' && parameter.in !== 'path') continue;
    const given = parameter.in === 'query' ? query[nameOf(parameter)] : found.values[parameter.name];
    // A list of one looks like a scalar in OpenAPI's default style (`form`, exploded).
    const value = typeof given === 'string' && parameter.schema !== undefined && 'type' in parameter.schema && parameter.schema.type === 'array' ? [given] : given;
    if (value === undefined) {
      if (parameter.required === true) problems.push(`${parameter.in}: ${parameter.name} is required`);
    } else if (parameter.schema !== undefined) problems.push(...check(spec.ajv.form, `${parameter.pointer}/schema`, `${parameter.in} ${parameter.name}`, value));
  }
  return [...problems, ...checkBody(spec, found, request)];
}

/** Holds an answer against the vendor's description of the same request; a status that it does not name falls to its `default`. */
export function checkAnswer(spec: VendorSpec, request: SentRequest, answer: { readonly status: number; readonly body: unknown }): string[] {
  const url = new URL(request.url, 'https://vendor.example');
  const found = findOperation(spec, request.method, url.pathname);
  if (found === undefined) return [`path: the description has no ${request.method.toUpperCase()} on a path of this form`];
  const responses = found.operation.responses ?? {};
  const key = [String(answer.status), `${String(answer.status)[0]}XX`, 'default'].find((each) => responses[each] !== undefined);
  if (key === undefined) return [`status: the description has no ${answer.status}`];
  const pointer = responses[key]?.$ref === undefined ? `${found.pointer}/responses/${key}` : responses[key].$ref.slice(1);
  const response = compileBody(spec, pointer);
  if (response?.['application/json']?.schema === undefined) return [];
  return check(spec.ajv.json, `${pointer}/content/${escapePointer('application/json')}/schema`, 'answer', answer.body);
}

function compileBody(spec: VendorSpec, pointer: string): Body['content'] {
  let node: unknown = spec.document;
  for (const part of pointer.slice(1).split('/')) node = (node as Record<string, unknown>)[decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')];
  return (node as Body).content;
}
