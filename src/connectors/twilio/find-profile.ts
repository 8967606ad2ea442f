import { expectOk } from './gateway.ts';
import { isMemoryProfile, type MemoryApi } from './memory-api.ts';

/** Merges of merges that are looked through before it is taken for a circle. */
const mergesMax = 10;

/** A profile in its store, or the news that it was merged into one that was not resolved. */
export type FoundProfile = { readonly kind: 'profile'; readonly store: string; readonly id: string } | { readonly kind: 'moved' };

/**
 * Finds the store of a profile; undefined when no store has it. A redirect is never followed: only where the profile that it names was
 * resolved to the same person, that one is asked for by its own id.
 */
export async function findProfile(memory: MemoryApi, id: string, resolved: ReadonlySet<string>, now: number): Promise<FoundProfile | undefined> {
  if (!isMemoryProfile(id)) return undefined;
  for (const store of await memory.stores()) {
    let current = id;
    for (let merges = 0; merges <= mergesMax; merges += 1) {
      const answer = await memory.readIdentifiers(store, current);
      if (answer.kind === 'absent') break;
      if (answer.kind !== 'moved') {
        expectOk(answer, now);
        return { kind: 'profile', store, id: current };
      }
      if (answer.to === undefined || !resolved.has(answer.to) || !isMemoryProfile(answer.to) || merges === mergesMax) return { kind: 'moved' };
      current = answer.to;
    }
  }
  return undefined;
}
