import type { Target } from './erase-cursor.ts';
import { expectOk } from './gateway.ts';
import { hasTraits } from './delete-objects.ts';
import type { MemoryApi, NoteList } from './memory-api.ts';

/** What is still to be seen of a profile. */
export interface Traces {
  /** The profile itself, or, when it was to be anonymised, a trait or an identifier of it. */
  readonly profile: boolean;
  readonly notes: readonly { readonly type: 'observation' | 'summary'; readonly id: string }[];
}

const noteLists: readonly { readonly list: NoteList; readonly type: 'observation' | 'summary' }[] = [
  { list: 'observations', type: 'observation' },
  { list: 'summaries', type: 'summary' },
];

/**
 * Looks for what is left of a profile: by each identifier that it had (a look-up reads nothing that was deleted), or by its own id where it
 * had none; and for its notes. Reads the deleted profile two or three times, so it must be called sparingly.
 */
export async function findTraces(memory: MemoryApi, target: Target, action: 'erase' | 'anonymise', now: number): Promise<Traces> {
  const { store, id } = target;
  let profile = false;
  if (action === 'anonymise') {
    const [traits, identifiers] = [await memory.readTraits(store, id), await memory.readIdentifiers(store, id)];
    profile = (traits.kind !== 'absent' && hasTraits(expectOk(traits, now))) || (identifiers.kind !== 'absent' && expectOk(identifiers, now).length > 0);
  } else if (target.identifiers.length === 0) {
    const answer = await memory.readIdentifiers(store, id);
    if (answer.kind !== 'absent') expectOk(answer, now);
    profile = answer.kind === 'ok';
  }
  for (const identifier of profile ? [] : target.identifiers) profile ||= (await memory.lookUp(store, identifier)).includes(id);
  const notes = [];
  for (const { list, type } of noteLists) {
    const answer = await memory.readNotes(store, id, list);
    if (answer.kind === 'absent') continue;
    notes.push(...expectOk(answer, now).ids.map((each) => ({ type, id: each })));
  }
  return { profile, notes };
}
