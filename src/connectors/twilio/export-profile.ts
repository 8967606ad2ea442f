import { z } from 'zod';
import { Failure, type ExportContext, type ExportPage } from '../../connector-kit/index.ts';
import type { TwilioConfig } from './config.ts';
import { findProfile } from './find-profile.ts';
import { createTwilioGateway, expectOk } from './gateway.ts';
import { createMemoryApi, type NoteList } from './memory-api.ts';

const noteLists: readonly { readonly list: NoteList; readonly type: string }[] = [
  { list: 'observations', type: 'observation' },
  { list: 'summaries', type: 'summary' },
];

/** Which list of notes is next, and which of its pages; the first where none is named. */
const cursorSchema = z.strictObject({ list: z.int(), page: z.string().optional() });

/**
 * Gives a profile of Conversation Memory: its traits, its identifiers, and its observations and summaries, a page at a time; nothing where no
 * store has it. A profile that was merged into another fails with `SUBJECT_AMBIGUOUS`: that one may hold a second person's data.
 */
export async function* exportProfile(context: ExportContext, config: TwilioConfig, profile: string): AsyncGenerator<ExportPage> {
  const memory = createMemoryApi(config, createTwilioGateway(config, context), context);
  const found = await findProfile(memory, profile, new Set([profile]), context.now());
  if (found === undefined) return;
  if (found.kind === 'moved') throw new Failure('SUBJECT_AMBIGUOUS', 'The profile was merged into one that was not resolved to this person');
  const { store, id } = found;
  const from = context.cursor === null ? undefined : cursorSchema.parse(context.cursor);
  if (from === undefined) {
    const traits = expectOk(await memory.readTraits(store, id), context.now());
    const identifiers = expectOk(await memory.readIdentifiers(store, id), context.now());
    yield { records: [{ type: 'profile', data: { id, traits } }, ...identifiers.map((data) => ({ type: 'identifier', data }))], resume: { list: 0 } };
  }
  for (const [at, { list, type }] of noteLists.entries()) {
    if (at < (from?.list ?? 0)) continue;
    let page = at === from?.list ? from.page : undefined;
    do {
      const { notes, next } = expectOk(await memory.readNotePage(store, id, list, page), context.now());
      yield { records: notes.map((data) => ({ type, data })), resume: next === undefined ? { list: at + 1 } : { list: at, page: next } };
      page = next;
    } while (page !== undefined);
  }
}
