import { z } from 'zod';
import { intercomRefusal } from './gate.ts';

const singleSchema = z.object({ field: z.string(), operator: z.enum(['=', '!=', 'IN', 'NIN', '~']), value: z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())]) });
type Single = z.output<typeof singleSchema>;
type Query = Single | { readonly operator: 'AND' | 'OR'; readonly value: readonly Query[] };
const querySchema: z.ZodType<Query> = z.lazy(() => z.union([z.object({ operator: z.enum(['AND', 'OR']), value: z.array(querySchema).min(1).max(15) }), singleSchema]));
const bodySchema = z.object({
  query: querySchema,
  pagination: z.object({ per_page: z.int().min(1).max(150).optional(), starting_after: z.string().nullish() }).optional(),
});

/** What of a record can be searched: a field's values, all lower or upper case as stored. */
export type Searchable = (field: string) => readonly (string | null)[] | undefined;

const text = (value: string | null): string | null => value?.toLowerCase() ?? null;

function matches(values: Searchable, query: Query): boolean {
  if (query.operator === 'AND' || query.operator === 'OR') {
    const parts = query.value.map((each) => matches(values, each));
    return query.operator === 'AND' ? !parts.includes(false) : parts.includes(true);
  }
  const { field, operator, value } = query as Single;
  const held = values(field)?.map(text);
  if (held === undefined) throw intercomRefusal(400, {}, 'invalid_field');
  const wanted = (Array.isArray(value) ? value : [value]).map((each) => (each === null ? null : String(each).toLowerCase()));
  if (operator === '~') return held.some((each) => each?.includes(wanted[0] ?? '') ?? false);
  const isIn = held.some((each) => wanted.includes(each));
  return operator === '=' || operator === 'IN' ? isIn : !isIn;
}

/** Carries out a search request over records that are given in their order; pages by the last id of a page. */
export function searchPage<Item extends { readonly id: string }>(
  body: unknown,
  options: { readonly items: readonly Item[]; readonly values: (item: Item) => Searchable; readonly perPage: number; readonly visit: (item: Item) => void },
): { readonly items: readonly Item[]; readonly about: object } {
  const parsed = bodySchema.safeParse(body);
  if (!parsed.success) throw intercomRefusal(400, {}, 'parameter_invalid');
  const { query, pagination } = parsed.data;
  const found = options.items.filter((each) => matches(options.values(each), query));
  for (const each of found) options.visit(each);
  const perPage = pagination?.per_page ?? options.perPage;
  const after = pagination?.starting_after ?? undefined;
  const cursor = after === undefined ? undefined : Buffer.from(after, 'base64url').toString('utf8');
  const start = cursor === undefined ? 0 : Number(cursor);
  if (!Number.isInteger(start) || start < 0) throw intercomRefusal(400, {}, 'parameter_invalid');
  const end = start + perPage;
  const next = end < found.length ? { next: { per_page: perPage, starting_after: Buffer.from(String(end)).toString('base64url') } } : {};
  return {
    items: found.slice(start, end),
    about: { total_count: found.length, pages: { type: 'pages', page: Math.floor(start / perPage) + 1, per_page: perPage, total_pages: Math.ceil(found.length / perPage), ...next } },
  };
}
