import type { z } from 'zod';
import type { EraseContext } from '../../connector-kit/index.ts';
import { addressesOfPerson, ownAddresses, sureOf } from './addresses.ts';
import type { TwilioConfig } from './config.ts';
import type { TwilioGateway } from './gateway.ts';
import { participantSchema, participantsOf, type conversationMessageSchema, type membershipSchema } from './lists.ts';
import { readAll } from './read-page.ts';

type Participant = z.output<typeof participantSchema>;

/** Whose a conversation is. */
export interface ConversationPeople {
  readonly participants: readonly Participant[];
  /** The participants that are the person. */
  readonly theirSids: ReadonlySet<string>;
  /** True where others take part, apart from the account's own numbers and identities. */
  readonly isShared: boolean;
  /** True for a message that the person wrote. */
  readonly wrote: (message: z.output<typeof conversationMessageSchema>) => boolean;
}

/** Sees who takes part in a conversation of the person. Who is not proven to be the person is another, and so is everybody where the person has left. */
export async function seePeople(context: Pick<EraseContext, 'identifier' | 'proven' | 'now'>, config: TwilioConfig, gateway: TwilioGateway, { conversationSid, participantSid }: z.output<typeof membershipSchema>): Promise<ConversationPeople> {
  const participants = await readAll(gateway, participantsOf(conversationSid), participantSchema, context.now());
  const persons = addressesOfPerson(config, sureOf(context));
  const own = ownAddresses(config);
  const theirs = participants.filter((each) => each.sid === participantSid || isIn(persons, each));
  const theirSids = new Set([participantSid, ...theirs.map(({ sid }) => sid)]);
  const others = participants.filter((each) => !theirSids.has(each.sid) && !isIn(own, each) && addressOf(each) !== undefined);
  return {
    participants,
    theirSids,
    // A person who has left in the meantime leaves the conversation to whoever is in it.
    isShared: others.length > 0 || !participants.some(({ sid }) => sid === participantSid),
    wrote: ({ author, participantSid: by }) => persons.has((author ?? '').toLowerCase()) || theirSids.has(by ?? ''),
  };
}

/** Undefined for a participant that is only the number by which the account takes part. */
function addressOf(participant: Participant): string | undefined {
  return participant.identity ?? participant.messagingBinding?.address ?? undefined;
}

function isIn(addresses: ReadonlySet<string>, participant: Participant): boolean {
  const candidates = [participant.identity, participant.messagingBinding?.address];
  return candidates.some((each) => typeof each === 'string' && addresses.has(each.toLowerCase()));
}
