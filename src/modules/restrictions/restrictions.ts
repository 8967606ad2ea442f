import { sql } from 'kysely';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { Right } from '../../contract/outcomes.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { stops, type Processing } from './domain/stops.ts';
import type { RestrictionTables } from './tables.ts';

/** What the register needs. */
export interface RestrictionsDeps {
  readonly database: Database;
  readonly systemKeys: Pick<SystemKeys, 'mac'>;
  readonly clock: Clock;
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
  /** Has a recipient told that a restriction it was told of has ended, for these identifiers. */
  readonly tellLifted: (tx: Tx, lifted: { readonly recipient: string; readonly identifiers: readonly Identifier[] }) => Promise<void>;
}

/** Whether something may be done with a person's data, as far as the person's rights go, and otherwise which right stops it, since when. */
export interface ProcessingAnswer {
  readonly allowed: boolean;
  readonly stopped_by: readonly { readonly right: Right; readonly since: string }[];
}

/** The register of who must not be processed for what: rights that hold until they are lifted. It knows people by keyed hashes only. */
export interface Restrictions {
  /** Enters identifiers under a right, in the caller's transaction. What was lifted holds again. Idempotent. */
  readonly enter: (tx: Tx, right: Right, identifiers: readonly Identifier[]) => Promise<void>;
  /** Notes that a recipient is told of a right by these identifiers, so that it is told of its end by them. Idempotent. */
  readonly noteTold: (tx: Tx, right: Right, identifiers: readonly Identifier[], recipient: string) => Promise<void>;
  /** Judges some processing of the person who has any of these identifiers, in normal form. */
  readonly judge: (identifiers: readonly Identifier[], processing: Processing) => Promise<ProcessingAnswer>;
  /** Whether a right holds for any of these identifiers. */
  readonly holds: (right: Right, identifiers: readonly Identifier[]) => Promise<boolean>;
  /** Ends a right for the identifiers, has those told who were told that it holds, and says how many entries it held for. The person is told before, where the law asks for it (GDPR Art. 18(3)). */
  readonly lift: (right: Right, identifiers: readonly Identifier[], operator: string) => Promise<number>;
}

/** Makes the register. */
export function createRestrictions(deps: RestrictionsDeps): Restrictions {
  const hashOf = ({ kind, value }: Identifier): Buffer => deps.systemKeys.mac('suppression', `restriction:${kind}:${value}`);
  return {
    enter: async (tx, right, identifiers) => {
      if (identifiers.length === 0) return;
      const since = new Date(deps.clock.now());
      await tablesOf<RestrictionTables>(tx)
        .insertInto('restriction')
        .values(identifiers.map((each) => ({ hash: hashOf(each), kind: each.kind, request_right: right, since })))
        .onConflict((conflict) => conflict.columns(['hash', 'request_right']).doUpdateSet({ since, lifted_at: null, told: [] }).where('restriction.lifted_at', 'is not', null))
        .execute();
    },
    noteTold: async (tx, right, identifiers, recipient) => {
      if (identifiers.length === 0) return;
      await tablesOf<RestrictionTables>(tx)
        .updateTable('restriction')
        .set({ told: sql<string[]>`array_append(told, ${recipient})` })
        .where('hash', 'in', identifiers.map(hashOf))
        .where('request_right', '=', right)
        .where(sql<boolean>`NOT (${recipient} = ANY (told))`)
        .execute();
    },
    judge: async (identifiers, processing) => {
      if (identifiers.length === 0) return { allowed: true, stopped_by: [] };
      const rows = await deps.database
        .read<RestrictionTables>()
        .selectFrom('restriction')
        .select(({ fn }) => ['request_right', fn.min('since').as('since')])
        .where('hash', 'in', identifiers.map(hashOf))
        .where('lifted_at', 'is', null)
        .groupBy('request_right')
        .execute();
      const stopping = rows.filter((row) => stops(row.request_right, processing)).map((row) => ({ right: row.request_right, since: row.since.toISOString() }));
      return { allowed: stopping.length === 0, stopped_by: stopping };
    },
    holds: async (right, identifiers) => {
      if (identifiers.length === 0) return false;
      const held = deps.database.read<RestrictionTables>().selectFrom('restriction').select('since').where('hash', 'in', identifiers.map(hashOf)).where('request_right', '=', right).where('lifted_at', 'is', null).limit(1);
      return (await held.executeTakeFirst()) !== undefined;
    },
    lift: async (right, identifiers, operator) => {
      if (identifiers.length === 0) return 0;
      const now = deps.clock.now();
      return deps.database.transaction(async (tx) => {
        const lifted = await tablesOf<RestrictionTables>(tx)
          .updateTable('restriction')
          .set({ lifted_at: new Date(now) })
          .where('hash', 'in', identifiers.map(hashOf))
          .where('request_right', '=', right)
          .where('lifted_at', 'is', null)
          .returning(['hash', 'told'])
          .execute();
        if (lifted.length > 0) await deps.record(tx, { type: 'restriction.lifted', at: isoTime(now), actor: { role: 'operator', id: operator }, right, counts: { identifiers: lifted.length } });
        for (const recipient of new Set(lifted.flatMap((row) => row.told))) {
          const toldBy = identifiers.filter((each) => lifted.some((row) => row.told.includes(recipient) && hashOf(each).equals(row.hash)));
          await deps.tellLifted(tx, { recipient, identifiers: toldBy });
        }
        return lifted.length;
      });
    },
  };
}
