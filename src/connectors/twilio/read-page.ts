import { z } from 'zod';
import { Failure } from '../../connector-kit/index.ts';
import { expectOk, type TwilioClient, type TwilioGateway } from './gateway.ts';

interface SdkPage {
  readonly instances: readonly unknown[];
  readonly nextPageUrl?: string | undefined;
}

/** A list of the SDK, from its first page or from the link to a later one. */
export interface PagedList {
  readonly product: 'api' | 'conversations';
  readonly first: (client: TwilioClient) => Promise<SdkPage>;
  readonly later: (client: TwilioClient, url: string) => Promise<SdkPage>;
}

/** One page: its rows, and the path and query of the next one. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly next?: string;
}

/** A sid as Twilio's older products give it; nothing that could reach into another path. */
export const sidSchema = z.string().regex(/^[A-Z]{2}[0-9a-fA-F]{32}$/u);

const origins = { api: 'https://api.twilio.com', conversations: 'https://conversations.twilio.com' } as const;
/** More pages than this of the parts of one object are a vendor that turns in circles. */
const pagesMax = 1000;

/**
 * Reads one page; undefined when the list's owner is gone (404). `at` is what an earlier page gave as `next`: only its path and query
 * are used, so that a link never leads to another host. Throws `VENDOR_MALFORMED` on rows of another shape and on a page that is its own next.
 */
export async function readPage<Schema extends z.ZodType>(
  gateway: TwilioGateway,
  list: PagedList,
  schema: Schema,
  options: { readonly at?: string | undefined; readonly now: number },
): Promise<Page<z.output<Schema>> | undefined> {
  const { at } = options;
  const answer = await gateway.ask(async (client) => {
    const page = at === undefined ? await list.first(client) : await list.later(client, `${origins[list.product]}${at}`);
    const link = page.nextPageUrl === undefined || page.nextPageUrl === '' ? undefined : new URL(page.nextPageUrl, origins[list.product]);
    return { instances: page.instances, next: link === undefined ? undefined : `${link.pathname}${link.search}` };
  });
  if (answer.kind === 'absent' && at === undefined) return undefined;
  const { instances, next } = expectOk(answer, options.now);
  const rows = z.array(schema).safeParse(instances);
  if (!rows.success) throw new Failure('VENDOR_MALFORMED', 'Twilio listed objects of another shape');
  if (next !== undefined && next === at) throw new Failure('VENDOR_MALFORMED', 'Twilio gave a page that is its own next page');
  return { rows: rows.data, ...(next === undefined ? {} : { next }) };
}

/** Reads all pages of a short list; empty when its owner is gone. */
export async function readAll<Schema extends z.ZodType>(gateway: TwilioGateway, list: PagedList, schema: Schema, now: number): Promise<z.output<Schema>[]> {
  const all: z.output<Schema>[] = [];
  let at: string | undefined;
  for (let pages = 0; pages < pagesMax; pages += 1) {
    const page = await readPage(gateway, list, schema, { at, now });
    all.push(...(page?.rows ?? []));
    if (page?.next === undefined) return all;
    at = page.next;
  }
  throw new Failure('VENDOR_MALFORMED', `Twilio listed more than ${pagesMax} pages of the parts of one object`);
}
