export { auditEntrySchema, auditTypes, proofSchema, type AuditEntry } from './audit-entry.ts';
export { errorTable, type ErrorCode, type ErrorRow, type Retry } from './errors.ts';
export { formatId, idPrefixes, parseId, type Id, type IdentifierId, type IdKind, type ManualTaskId, type RequestId, type TaskId } from './ids.ts';
export { identifierKindSchema, type Identifier, type IdentifierKind } from './identifiers.ts';
export { endsOf, mayFollow, requestLife, taskLife, type Exit, type Life, type LifeState, type Mover } from './life.ts';
export {
  confirmationSchema,
  countsSchema,
  decisionSchema,
  outcomeSchema,
  requestStatusSchema,
  residueSchema,
  rightSchema,
  taskStatusSchema,
  verdictSchema,
  type Confirmation,
  type Counts,
  type Decision,
  type Outcome,
  type RequestStatus,
  type Residue,
  type Right,
  type TaskStatus,
  type Verdict,
} from './outcomes.ts';
