import { Failure } from '../../connector-kit/index.ts';
import type { RequestTemplate } from './declaration.ts';
import { renderJson, renderText, type TemplateValues } from './template.ts';

/** A request with everything filled in, before it is authenticated. */
export interface RenderedRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

const percent = (value: string): string => encodeURIComponent(value).replaceAll(/[!'()*]/gu, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

/** In a text nothing keeps a value apart from what is around it, so only what cannot be anything else gets in. */
function plainWord(value: string): string {
  if (!/^[\w.-]+$/u.test(value)) throw new Failure('UNSUPPORTED', 'A value cannot stand in the text of a request');
  return value;
}

/** Fills a request in. Fails with `UNSUPPORTED` where a value cannot stand where the declaration puts it. */
export function renderRequest(baseUrl: string, template: RequestTemplate, values: TemplateValues): RenderedRequest {
  const path = renderText(template.path, values, percent) ?? '';
  // A URL's reader resolves such segments, encoded or not: a value `..` would call another path than was declared.
  if (path.split('/').some((segment) => /^(?:\.|%2e){1,2}$/iu.test(segment))) throw new Failure('UNSUPPORTED', 'A value cannot stand in the path of a request');
  const query = Object.entries(template.query).flatMap(([name, text]) => {
    const value = renderText(text, values);
    return value === undefined ? [] : [`${percent(name)}=${percent(value)}`];
  });
  const headers = Object.entries(template.headers).flatMap(([name, text]) => {
    const value = renderText(text, values);
    if (value === undefined) return [];
    if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/u.test(value)) throw new Failure('UNSUPPORTED', `A value cannot stand in the header ${name}`);
    return [[name.toLowerCase(), value] as const];
  });
  const { text } = template;
  const body = text !== undefined ? renderText(text.body, values, plainWord) : template.body === undefined ? undefined : JSON.stringify(renderJson(template.body, values));
  const type = text?.content_type ?? 'application/json';
  return {
    method: template.method,
    url: new URL(`${baseUrl}${path}${query.length === 0 ? '' : `?${query.join('&')}`}`),
    headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': type }), ...Object.fromEntries(headers) },
    body,
  };
}
