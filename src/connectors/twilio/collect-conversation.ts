import type { z } from 'zod';
import { seePeople } from './conversation-people.ts';
import type { Collecting } from './erase-cursor.ts';
import { itemOf, type EraseRun } from './erase-run.ts';
import { conversationMessageSchema, conversationMessagesOf, type membershipSchema } from './lists.ts';
import { readPage } from './read-page.ts';

/**
 * Collects one conversation that the person takes part in. When nobody else does, apart from the account's own numbers and identities, all
 * of it goes: messages, participants, the conversation. When others do, it is theirs too: then only what the person wrote goes, and the
 * person's own membership (`shared_participant`); what the others wrote is named as residue. Who is not proven to be the person is another.
 * Answers where it stopped when the step's time was over; the participants are read anew then.
 */
export async function collectConversation(run: EraseRun, { conversationSid, participantSid }: z.output<typeof membershipSchema>, from: Collecting): Promise<Collecting | undefined> {
  const { context, config, gateway } = run;
  const { worklist, now } = context;
  const { round } = from;
  const { participants, theirSids, isShared, wrote } = await seePeople(context, config, gateway, { conversationSid, participantSid });

  let page = from.inner;
  do {
    const read = await readPage(gateway, conversationMessagesOf(conversationSid), conversationMessageSchema, { at: page, now: now() });
    if (read === undefined) return undefined;
    const messages = isShared ? read.rows.filter(wrote) : read.rows;
    await worklist.add(messages.map(({ sid }) => itemOf('conversation_message', `${conversationSid}/${sid}`, round)));
    page = read.next;
    if (page !== undefined && (await run.keep({ ...from, inner: page }))) return { ...from, inner: page };
  } while (page !== undefined);

  if (isShared) await worklist.add([...theirSids].map((sid) => itemOf('shared_participant', `${conversationSid}/${sid}`, round)));
  else {
    await worklist.add([
      ...participants.map(({ sid }) => itemOf('participant', `${conversationSid}/${sid}`, round)),
      itemOf('conversation', conversationSid, round),
    ]);
  }
  return undefined;
}
