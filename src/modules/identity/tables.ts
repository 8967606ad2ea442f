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
  request_correction: { request_id: RequestId; sealed: Buffer };
  verification: {
    request_id: RequestId;
    source: string;
    method: VerificationMethod;
    attempts: number;
    sent_count: number;
    expires_at: Date;
    verified_at: Date | null;
    proof: Buffer | null;
    given_hash: Buffer | null;
    asked: number;
    wake_at: Date | null;
  };
  failed_proof: { source: string; since: Date; count: number };
  identity_mapping: { row_id: string; kind: IdentifierKind; lookup: Buffer; sealed: Buffer };
  suppression: { hash: Buffer; kind: IdentifierKind; added_at: Date };
}

/** How a person whom the source has not verified is to prove who they are. By an operator's decision where nothing was given that a code could be sent to. */
export type VerificationMethod = 'email_code' | 'sms_code' | 'proof' | 'operator';
