import type { ConnectorContext, Located, LocateResult } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import { tiedTo } from './identifier-forms.ts';
import { idAt } from './json-path.ts';
import { mainLookUps, readPages, type System } from './look-up.ts';

const keyOf = ({ kind, value }: Identifier): string => `${kind}:${value}`;

/**
 * Asks for each known identifier and says which the system knows, and what else its records tie to the person: with half the confidence where
 * several records carry the same identifier, since they may be of several people.
 */
export async function locatePerson(context: ConnectorContext, system: System, known: readonly Identifier[]): Promise<LocateResult> {
  const knows: Identifier[] = [];
  const found = new Map<string, Located>();
  const given = new Set(known.map(keyOf));
  for (const identifier of known.filter(({ kind }) => system.declaration.identifiers[kind] !== undefined)) {
    const records = new Set<string>();
    const tied: Identifier[] = [];
    for (const lookUp of mainLookUps(system.declaration.locate, identifier.kind)) {
      for await (const page of readPages(context, system, lookUp, { identifier })) {
        for (const [at, record] of page.records.entries()) {
          records.add(`${lookUp.type}:${idAt(record, lookUp.id) ?? `${records.size}.${at}`}`);
          tied.push(...tiedTo(lookUp, record));
        }
      }
    }
    if (records.size > 0) knows.push(identifier);
    for (const each of tied) {
      if (given.has(keyOf(each)) || found.has(keyOf(each))) continue;
      found.set(keyOf(each), { identifier: each, via: identifier, confidence: records.size === 1 ? 1 : 0.5 });
    }
  }
  return { found: [...found.values()], knows };
}
