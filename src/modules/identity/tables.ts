import type { ColumnType } from 'kysely';
import type { IdentifierKind } from '../../contract/identifiers.ts';
import type { IdentifierId, RequestId } from '../../contract/ids.ts';

/** The identity module's tables. */
export interface IdentityTables {
  request_key: {
    request_id: RequestId;
    master_key_id: string;
    wrapped: Buffer | null;
    destroyed_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  };
  subject_identity: {
    id: IdentifierId;
    request_id: RequestId;
    kind: IdentifierKind;
    sealed: Buffer;
    lookup: Buffer;
    commitment: Buffer;
    found_by: string;
    via: IdentifierId | null;
    confidence: number;
    seen_in: string[];
    found_at: Date;
  };
  verification: {
    request_id: RequestId;
    method: VerificationMethod;
    attempts: number;
    sent_count: number;
    expires_at: Date;
    verified_at: Date | null;
  };
  identity_mapping: { row_id: string; kind: IdentifierKind; lookup: Buffer; sealed: Buffer };
  suppression: { hash: Buffer; kind: IdentifierKind; added_at: Date };
}

/** How a person is to prove who they are: by an e-mailed code, or, having given no e-mail address, by an operator's decision. */
export type VerificationMethod = 'email_code' | 'operator';
