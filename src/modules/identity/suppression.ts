import type { Identifier } from '../../contract/identifiers.ts';
import type { Clock } from '../../platform/clock.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { insertSuppressions, lookupText, suppressedAmong } from './store.ts';
import type { IdentityTables } from './tables.ts';

/** What the suppression ledger needs. */
export interface SuppressionDeps {
  readonly database: Database;
  readonly systemKeys: Pick<SystemKeys, 'mac'>;
  readonly clock: Clock;
}

/** Who was erased, as keyed hashes, so that a restore, an import or a new sign-up can be checked against it. */
export interface SuppressionLedger {
  /** Adds a person's identifiers. Idempotent. */
  readonly add: (tx: Tx, identifiers: readonly Identifier[]) => Promise<void>;
  /** Says for each identifier, in normal form, whether it is of somebody who was erased, in the order asked. */
  readonly check: (identifiers: readonly Identifier[]) => Promise<readonly boolean[]>;
}

/** Far under the 65,535 parameters of one statement of PostgreSQL's protocol. */
const hashesAtOnce = 1000;

/** Makes the ledger. */
export function createSuppressionLedger(deps: SuppressionDeps): SuppressionLedger {
  const hashOf = (identifier: Identifier): Buffer => deps.systemKeys.mac('suppression', lookupText(identifier));
  return {
    add: async (tx, identifiers) => {
      const addedAt = new Date(deps.clock.now());
      for (let from = 0; from < identifiers.length; from += hashesAtOnce) {
        const rows = identifiers.slice(from, from + hashesAtOnce).map((each) => ({ hash: hashOf(each), kind: each.kind, added_at: addedAt }));
        await insertSuppressions(tablesOf<IdentityTables>(tx), rows);
      }
    },
    check: async (identifiers) => {
      const db = deps.database.read<IdentityTables>();
      const answers: boolean[] = [];
      for (let from = 0; from < identifiers.length; from += hashesAtOnce) {
        const hashes = identifiers.slice(from, from + hashesAtOnce).map(hashOf);
        const suppressed = await suppressedAmong(db, hashes);
        answers.push(...hashes.map((hash) => suppressed.has(hash.toString('hex'))));
      }
      return answers;
    },
  };
}
