import type { Identifier } from '../../contract/identifiers.ts';
import { phoneForms } from './addresses.ts';

/** One list at Twilio in which a person can be, by one form of one identifier. */
export type Source =
  | { readonly list: 'calls' | 'messages'; readonly side: 'to' | 'from'; readonly address: string }
  | { readonly list: 'conversations'; readonly by: 'address' | 'identity'; readonly value: string }
  | { readonly list: 'user'; readonly identity: string };

const sides = ['to', 'from'] as const;

/**
 * Every list to read for one identifier, in the order in which what is found is deleted: calls with their recordings, messages with their
 * media, conversations, chat user. Calls and messages are asked for as sender and as receiver, plain and `whatsapp:`. The order is part of
 * kept cursors.
 */
export function sourcesOf({ kind, value }: Identifier): readonly Source[] {
  if (kind !== 'phone' && kind !== 'email') return [];
  const forms = kind === 'phone' ? phoneForms(value) : [value];
  const exchanged = kind === 'phone' ? (['calls', 'messages'] as const) : [];
  return [
    ...exchanged.flatMap((list) => forms.flatMap((address) => sides.map((side): Source => ({ list, side, address })))),
    ...forms.map((address): Source => ({ list: 'conversations', by: 'address', value: address })),
    { list: 'conversations', by: 'identity', value },
    { list: 'user', identity: value },
  ];
}
