export { auditEntrySchema, auditTypes, proofSchema, type AuditEntry } from './audit-entry.ts';
export { errorTable, type ErrorCode, type ErrorRow, type Retry } from './errors.ts';
export { formatId, idPrefixes, parseId, type Id, type IdentifierId, type IdKind, type ManualTaskId, type RequestId, type TaskId } from './ids.ts';
export { identifierKindSchema, type Identifier, type IdentifierKind } from './identifiers.ts';
export {
  confirmationSchema,
  countsSchema,
  decisionSchema,
  outcomeSchema,
  requestStatusSchema,
  residueSchema,
  rightSchema,
  verdictSchema,
  type Confirmation,
  type Counts,
  type Decision,
  type Outcome,
  type RequestStatus,
  type Residue,
  type Right,
  type Verdict,
} from './outcomes.ts';
