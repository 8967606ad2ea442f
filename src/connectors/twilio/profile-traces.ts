import type { Target } from './erase-cursor.ts';
import { expectOk, type Answer } from './gateway.ts';
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
 * Looks for what is left of a profile: its notes, and itself by each identifier that it had, since a look-up reads nothing that was deleted.
 * A profile without identifiers is read only where its lists do not both answer that it is gone. That makes two reads of what was deleted,
 * which Twilio refuses when they come too often (70005), so it must be called sparingly.
 */
export async function findTraces(memory: MemoryApi, target: Target, action: 'erase' | 'anonymise', now: number): Promise<Traces> {
  const { store, id, identifiers } = target;
  const notes: { readonly type: 'observation' | 'summary'; readonly id: string }[] = [];
  let gone = true;
  for (const { list, type } of noteLists) {
    const answer = await memory.readNotes(store, id, list);
    if (answer.kind === 'absent') continue;
    gone = false;
    notes.push(...expectOk(answer, now).ids.map((each) => ({ type, id: each })));
  }
  if (action === 'anonymise') return { profile: !gone && (await hasPersonalData(memory, target, now)), notes };
  if (identifiers.length === 0) return { profile: !gone && isThere(await memory.readIdentifiers(store, id), now), notes };
  for (const identifier of identifiers) {
    if ((await memory.lookUp(store, identifier)).includes(id)) return { profile: true, notes };
  }
  return { profile: false, notes };
}

/** True while an anonymised profile shows a trait or an identifier, or is found by one that it had. */
async function hasPersonalData(memory: MemoryApi, { store, id, identifiers }: Target, now: number): Promise<boolean> {
  const traits = await memory.readTraits(store, id);
  if (isThere(traits, now) && hasTraits(expectOk(traits, now))) return true;
  const kept = await memory.readIdentifiers(store, id);
  if (isThere(kept, now) && expectOk(kept, now).length > 0) return true;
  for (const identifier of identifiers) if ((await memory.lookUp(store, identifier)).includes(id)) return true;
  return false;
}

/** False for a 404; any other refusal is thrown, since it says nothing. */
function isThere(answer: Answer<unknown>, now: number): boolean {
  if (answer.kind === 'absent') return false;
  expectOk(answer, now);
  return true;
}
