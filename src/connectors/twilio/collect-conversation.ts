import type { z } from 'zod';
import { addressesOfPerson, ownAddresses } from './addresses.ts';
import type { Collecting } from './erase-cursor.ts';
import { itemOf, type EraseRun } from './erase-run.ts';
import { conversationMessageSchema, conversationMessagesOf, participantSchema, participantsOf, type membershipSchema } from './lists.ts';
import { readAll, readPage } from './read-page.ts';

/**
 * Collects one conversation that the person takes part in. When nobody else does, apart from the account's own numbers and identities, all
 * of it goes: messages, participants, the conversation. When others do, it is theirs too: then only what the person wrote goes, and the
 * person's own membership (`shared_participant`); what the others wrote is named as residue.
 * Answers where it stopped when the step's time was over; the participants are read anew then.
 */
export async function collectConversation(run: EraseRun, { conversationSid, participantSid }: z.output<typeof membershipSchema>, from: Collecting): Promise<Collecting | undefined> {
  const { context, config, gateway } = run;
  const { worklist, now } = context;
  const { round } = from;
  const participants = await readAll(gateway, participantsOf(conversationSid), participantSchema, now());
  const persons = addressesOfPerson(config, context.identifiers);
  const own = ownAddresses(config);
  const theirs = participants.filter((each) => each.sid === participantSid || isIn(persons, each));
  const theirSids = new Set([participantSid, ...theirs.map(({ sid }) => sid)]);
  const others = participants.filter((each) => !theirSids.has(each.sid) && !isIn(own, each) && addressOf(each) !== undefined);
  // A person who has left in the meantime leaves the conversation to whoever is in it.
  const isShared = others.length > 0 || !participants.some(({ sid }) => sid === participantSid);

  let page = from.inner;
  do {
    const read = await readPage(gateway, conversationMessagesOf(conversationSid), conversationMessageSchema, { at: page, now: now() });
    if (read === undefined) return undefined;
    const messages = isShared ? read.rows.filter(({ author, participantSid: by }) => persons.has((author ?? '').toLowerCase()) || theirSids.has(by ?? '')) : read.rows;
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

type Participant = z.output<typeof participantSchema>;

/** Undefined for a participant that is only the number by which the account takes part. */
function addressOf(participant: Participant): string | undefined {
  return participant.identity ?? participant.messagingBinding?.address ?? undefined;
}

function isIn(addresses: ReadonlySet<string>, participant: Participant): boolean {
  const candidates = [participant.identity, participant.messagingBinding?.address];
  return candidates.some((each) => typeof each === 'string' && addresses.has(each.toLowerCase()));
}
