import type { ConnectorContext, Located, LocateResult } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { DatabaseConfig } from './config.ts';
import { findRows, identifiersOf, isAnonymised } from './subject.ts';
import { withSystem } from './system.ts';

/**
 * Looks each known identifier up in the subject's table, and gives the others that its rows hold. A row in which nothing of the person is left is
 * known by nobody. What several rows share is no proof that they are one person's.
 */
export async function locatePerson(context: ConnectorContext, config: DatabaseConfig, known: readonly Identifier[]): Promise<LocateResult> {
  const asked = known.filter(({ kind }) => config.subject.identifiers[kind] !== undefined);
  if (asked.length === 0) return { found: [], knows: [] };
  return withSystem(config, async (system, session) => {
    const keyOfIdentifier = ({ kind, value }: Identifier): string => `${kind}:${value}`;
    const given = new Set(known.map(keyOfIdentifier));
    const found = new Map<string, Located>();
    const knows: Identifier[] = [];
    const facts = { hashKey: config.hash_key, receivedAt: context.now(), now: context.now() };
    for (const via of asked) {
      const rows = (await session.transaction(async (tx) => findRows(tx, session, system, via), 'read only')).filter((row) => !isAnonymised(system, row, facts));
      if (rows.length > 0) knows.push(via);
      const confidence = rows.length === 1 ? 1 : 0.5;
      for (const identifier of rows.flatMap((row) => identifiersOf(system, row))) {
        const key = keyOfIdentifier(identifier);
        const better = (found.get(key)?.confidence ?? 0) < confidence;
        if (!given.has(key) && better) found.set(key, { identifier, via, confidence });
      }
    }
    return { found: [...found.values()], knows };
  });
}
