import type { ColumnType } from 'kysely';
import type { IdentifierKind } from '../../contract/identifiers.ts';
import type { Right } from '../../contract/outcomes.ts';

/** The table of the register. */
export interface RestrictionTables {
  restriction: {
    hash: Buffer;
    kind: IdentifierKind;
    request_right: Right;
    since: Date;
    /** Codes of the recipients that were told of it. */
    told: ColumnType<string[], string[] | undefined, string[]>;
    lifted_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  };
}
