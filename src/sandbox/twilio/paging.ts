import type { FastifyRequest } from 'fastify';

/** The query of a request, with the first of repeated values. */
export function queryOf(request: FastifyRequest): Record<string, string> {
  const raw = request.query as Record<string, string | string[]>;
  return Object.fromEntries(Object.entries(raw).map(([key, value]) => [key, Array.isArray(value) ? (value[0] ?? '') : value]));
}

function bounded(text: string | undefined, whenAbsent: number, max: number): number {
  const value = Number.parseInt(text ?? '', 10);
  return Number.isFinite(value) && value >= 0 ? Math.min(value, max) : whenAbsent;
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '';
}

interface Slice<T> {
  readonly items: readonly T[];
  readonly page: number;
  readonly size: number;
  readonly link: (page: number) => string;
  readonly next: string | null;
}

/** Page N is what stands at N times the page size now, so deleting between two pages skips records, as it does at the vendor. */
function sliceOf<T extends { readonly sid: string }>(request: FastifyRequest, all: readonly T[], newestFirst: boolean, sizeMax: number): Slice<T> {
  const query = queryOf(request);
  const size = Math.max(1, bounded(query['PageSize'], 50, sizeMax));
  const page = bounded(query['Page'], 0, Number.MAX_SAFE_INTEGER);
  const start = page * size;
  const items = newestFirst
    ? all.slice(Math.max(0, all.length - start - size), Math.max(0, all.length - start)).toReversed()
    : all.slice(start, start + size);
  const link = (which: number): string => {
    const parameters = new URLSearchParams(Object.entries(query).filter(([key]) => !['Page', 'PageToken', 'PageSize'].includes(key)));
    parameters.set('PageSize', String(size));
    parameters.set('Page', String(which));
    const last = items.at(-1);
    if (which > page && last !== undefined) parameters.set('PageToken', `PA${last.sid}`);
    return `${pathOf(request)}?${parameters.toString()}`;
  };
  return { items, page, size, link, next: start + size < all.length ? link(page + 1) : null };
}

/** Promises a page as v2010 answers it, newest first: relative `next_page_uri`, at most 1000 objects. `all` is oldest first. */
export function pageV2010<T extends { readonly sid: string }>(request: FastifyRequest, all: readonly T[], key: string, render: (item: T) => unknown): unknown {
  const { items, page, size, link, next } = sliceOf(request, all, true, 1000);
  return {
    [key]: items.map(render),
    page,
    page_size: size,
    start: page * size,
    end: page * size + Math.max(0, items.length - 1),
    uri: request.url,
    first_page_uri: link(0),
    previous_page_uri: page > 0 ? link(page - 1) : null,
    next_page_uri: next,
  };
}

/** The address that the caller reached this simulator by, for the absolute links of the newer products. */
export function originOf(request: FastifyRequest): string {
  return `${request.protocol}://${request.host}`;
}

/** Promises a page as Conversations v1 answers it: a `meta` with absolute links, at most `sizeMax` objects. */
export function pageV1<T extends { readonly sid: string }>(
  request: FastifyRequest,
  all: readonly T[],
  key: string,
  render: (item: T) => unknown,
  sizeMax: number,
): unknown {
  const origin = originOf(request);
  const { items, page, size, link, next } = sliceOf(request, all, queryOf(request)['Order'] === 'desc', sizeMax);
  return {
    [key]: items.map(render),
    meta: {
      key,
      page,
      page_size: size,
      url: origin + request.url,
      first_page_url: origin + link(0),
      previous_page_url: page > 0 ? origin + link(page - 1) : null,
      next_page_url: next === null ? null : origin + next,
    },
  };
}

const token = (offset: number): string => Buffer.from(String(offset)).toString('base64url');

/** Promises a page as Memory and the Orchestrator answer it: an opaque `nextToken`, absent on the last page. */
export function pageByToken<T>(request: FastifyRequest, all: readonly T[], key: string, sizeMax: number): { items: readonly T[]; meta: object } {
  const query = queryOf(request);
  const size = Math.max(1, bounded(query['pageSize'], 50, sizeMax));
  const start = bounded(Buffer.from(query['pageToken'] ?? '', 'base64url').toString('utf8'), 0, Number.MAX_SAFE_INTEGER);
  const meta = {
    key,
    pageSize: size,
    ...(start + size < all.length && { nextToken: token(start + size) }),
    ...(start > 0 && { previousToken: token(Math.max(0, start - size)) }),
  };
  return { items: all.slice(start, start + size), meta };
}
