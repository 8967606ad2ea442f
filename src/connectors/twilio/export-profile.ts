import { Failure, type ConnectorContext, type ExportedRecord } from '../../connector-kit/index.ts';
import type { TwilioConfig } from './config.ts';
import { findProfile } from './find-profile.ts';
import { createTwilioGateway, expectOk } from './gateway.ts';
import { createMemoryApi, type NoteList } from './memory-api.ts';

const noteLists: readonly { readonly list: NoteList; readonly type: string }[] = [
  { list: 'observations', type: 'observation' },
  { list: 'summaries', type: 'summary' },
];

/**
 * Gives a profile of Conversation Memory: its traits, its identifiers, and its observations and summaries, a page at a time; nothing where no
 * store has it. A profile that was merged into another fails with `SUBJECT_AMBIGUOUS`: that one may hold a second person's data.
 */
export async function* exportProfile(context: ConnectorContext, config: TwilioConfig, profile: string): AsyncGenerator<ExportedRecord> {
  const memory = createMemoryApi(config, createTwilioGateway(config, context), context);
  const found = await findProfile(memory, profile, new Set([profile]), context.now());
  if (found === undefined) return;
  if (found.kind === 'moved') throw new Failure('SUBJECT_AMBIGUOUS', 'The profile was merged into one that was not resolved to this person');
  const { store, id } = found;
  yield { type: 'profile', data: { id, traits: expectOk(await memory.readTraits(store, id), context.now()) } };
  for (const identifier of expectOk(await memory.readIdentifiers(store, id), context.now())) yield { type: 'identifier', data: identifier };
  for (const { list, type } of noteLists) {
    let page: string | undefined;
    do {
      const { notes, next } = expectOk(await memory.readNotePage(store, id, list, page), context.now());
      for (const note of notes) yield { type, data: note };
      page = next;
    } while (page !== undefined);
  }
}
