import { z } from 'zod';
import { Failure, type ConnectorContext } from '../../connector-kit/index.ts';
import type { TwilioConfig } from './config.ts';
import { expectOk, type Answer, type PlainRequest, type TwilioGateway } from './gateway.ts';

const storeIdSchema = z.string().regex(/^mem_(store|service)_[0-7][0-9a-z]{25}$/u);
const profileIdSchema = z.string().regex(/^mem_profile_[0-7][0-9a-z]{25}$/u);
/** The ids of observations and summaries; nothing that could reach into another path. */
const noteIdSchema = z.string().regex(/^[\w-]{1,100}$/u);
const metaSchema = z.object({ nextToken: z.string().max(4096).nullish() }).nullish();
const storesSchema = z.object({ stores: z.array(storeIdSchema), meta: metaSchema });
const lookupSchema = z.object({ profiles: z.array(profileIdSchema) });
const profileSchema = z.object({ traits: z.record(z.string(), z.record(z.string(), z.unknown())).nullish() });
const identifiersSchema = z.object({ identifiers: z.array(z.object({ idType: z.string().min(1).max(100), values: z.array(z.string()) })) });
const noteSchema = z.array(z.looseObject({ id: noteIdSchema }));
const notesSchema = z.object({ observations: noteSchema.optional(), summaries: noteSchema.optional(), meta: metaSchema });

/** The free text that Memory keeps beside a profile. */
export type NoteList = 'observations' | 'summaries';
const notePaths = { observations: 'Observations', summaries: 'ConversationSummaries' } as const;
const notesPerPage = 1000;
const storePagesMax = 1000;

/** A trait group's traits by name. */
export type Traits = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
/** One identifier of a profile, as Memory keeps it. */
export interface MemoryIdentifier {
  readonly idType: string;
  readonly value: string;
}

/** Conversation Memory, version 1. The SDK follows its merge redirects no more than we do, but does not say where they lead. */
export interface MemoryApi {
  /** The configured stores, or all of the account's. */
  readonly stores: () => Promise<readonly string[]>;
  /** The canonical ids of the profiles that hold a value. Reads nothing of them, so it may be asked again and again. */
  readonly lookUp: (store: string, identifier: MemoryIdentifier) => Promise<readonly string[]>;
  readonly readTraits: (store: string, profile: string) => Promise<Answer<Traits>>;
  readonly readIdentifiers: (store: string, profile: string) => Promise<Answer<readonly MemoryIdentifier[]>>;
  readonly readNotes: (store: string, profile: string, list: NoteList, page?: string) => Promise<Answer<{ readonly ids: readonly string[]; readonly next?: string }>>;
  /** One page of notes whole, as Memory gives them. */
  readonly readNotePage: (store: string, profile: string, list: NoteList, page?: string) => Promise<Answer<{ readonly notes: readonly unknown[]; readonly next?: string }>>;
  readonly nullTraits: (store: string, profile: string, traits: Traits) => Promise<Answer<unknown>>;
  readonly dropIdentifier: (store: string, profile: string, idType: string) => Promise<Answer<unknown>>;
  readonly deleteNote: (store: string, profile: string, list: NoteList, id: string) => Promise<Answer<unknown>>;
  readonly deleteProfile: (store: string, profile: string) => Promise<Answer<unknown>>;
}

/** Says whether an id can be one of Memory's; the API refuses any other with 400. */
export function isMemoryProfile(id: string): boolean {
  return profileIdSchema.safeParse(id).success;
}

/** Makes the API over the gateway. */
export function createMemoryApi(config: TwilioConfig, gateway: TwilioGateway, context: ConnectorContext): MemoryApi {
  const root = `${config.hosts.memory}/v1`;
  const pathOf = (store: string, profile: string): string => `${root}/Stores/${store}/Profiles/${profile}`;
  const ask = async <Schema extends z.ZodType>(schema: Schema, request: PlainRequest): Promise<Answer<z.output<Schema>>> => {
    const answer = await gateway.send(request);
    if (answer.kind !== 'ok') return answer;
    const parsed = schema.safeParse(answer.value);
    if (!parsed.success) throw new Failure('VENDOR_MALFORMED', 'Twilio Memory answered with an object of another shape');
    return { kind: 'ok', value: parsed.data };
  };
  const change = async (method: 'PATCH' | 'DELETE', url: string, body?: unknown): Promise<Answer<unknown>> => gateway.send({ method, url, ...(body === undefined ? {} : { body }) });
  const readNotePage = async (store: string, profile: string, list: NoteList, page?: string): Promise<Answer<{ readonly notes: z.output<typeof noteSchema>; readonly next?: string }>> => {
    const query = new URLSearchParams({ pageSize: String(notesPerPage), ...(page === undefined ? {} : { pageToken: page }) });
    const answer = await ask(notesSchema, { method: 'GET', url: `${pathOf(store, profile)}/${notePaths[list]}?${query.toString()}` });
    if (answer.kind !== 'ok') return answer;
    const notes = answer.value[list];
    const next = answer.value.meta?.nextToken ?? undefined;
    if (notes === undefined || (next !== undefined && next === page)) throw new Failure('VENDOR_MALFORMED', 'Twilio Memory answered with a list of another shape');
    return { kind: 'ok', value: { notes, ...(next === undefined ? {} : { next }) } };
  };
  let stores = config.memory_store_ids;
  return {
    stores: async () => {
      stores ??= await listStores(async (url) => expectOk(await ask(storesSchema, { method: 'GET', url }), context.now()), root);
      return stores;
    },
    lookUp: async (store, identifier) => {
      const answer = await ask(lookupSchema, { method: 'POST', url: `${root}/Stores/${store}/Profiles/Lookup`, body: identifier });
      return [...new Set(expectOk(answer, context.now()).profiles)];
    },
    readTraits: async (store, profile) => {
      const answer = await ask(profileSchema, { method: 'GET', url: pathOf(store, profile) });
      return answer.kind === 'ok' ? { kind: 'ok', value: answer.value.traits ?? {} } : answer;
    },
    readIdentifiers: async (store, profile) => {
      const answer = await ask(identifiersSchema, { method: 'GET', url: `${pathOf(store, profile)}/Identifiers` });
      if (answer.kind !== 'ok') return answer;
      return { kind: 'ok', value: answer.value.identifiers.flatMap(({ idType, values }) => values.map((value) => ({ idType, value }))) };
    },
    readNotes: async (store, profile, list, page) => {
      const answer = await readNotePage(store, profile, list, page);
      if (answer.kind !== 'ok') return answer;
      const { notes, next } = answer.value;
      return { kind: 'ok', value: { ids: notes.map(({ id }) => id), ...(next === undefined ? {} : { next }) } };
    },
    readNotePage,
    nullTraits: async (store, profile, traits) => {
      const nulls = Object.fromEntries(Object.entries(traits).map(([group, each]) => [group, Object.fromEntries(Object.keys(each).map((name) => [name, null]))]));
      return change('PATCH', pathOf(store, profile), { traits: nulls });
    },
    // Without removeAll only one of several values goes.
    dropIdentifier: async (store, profile, idType) => change('DELETE', `${pathOf(store, profile)}/Identifiers/${encodeURIComponent(idType)}?removeAll=true`),
    deleteNote: async (store, profile, list, id) => change('DELETE', `${pathOf(store, profile)}/${notePaths[list]}/${id}`),
    deleteProfile: async (store, profile) => change('DELETE', pathOf(store, profile)),
  };
}

async function listStores(read: (url: string) => Promise<z.output<typeof storesSchema>>, root: string): Promise<string[]> {
  const all: string[] = [];
  let token: string | undefined;
  for (let pages = 0; pages < storePagesMax; pages += 1) {
    const query = new URLSearchParams({ pageSize: '100', ...(token === undefined ? {} : { pageToken: token }) });
    const { stores, meta } = await read(`${root}/ControlPlane/Stores?${query.toString()}`);
    all.push(...stores);
    if (meta?.nextToken === undefined || meta.nextToken === null) return all;
    token = meta.nextToken;
  }
  throw new Failure('VENDOR_MALFORMED', 'Twilio Memory lists stores without end');
}
