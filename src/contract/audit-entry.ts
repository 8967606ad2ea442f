import { z } from 'zod';
import { confirmationSchema, countsSchema, decisionSchema, outcomeSchema, residueSchema, rightSchema, verdictSchema } from './outcomes.ts';

/** A code: lower-case or upper-case words with dots, dashes or underscores. Never free text. */
const code = z.string().regex(/^[A-Za-z][A-Za-z0-9_.:/-]{0,99}$/u);
/** What was seen on the way: a code, a time, a count or a yes or no. */
export const proofSchema = z.record(code, z.union([code, z.iso.datetime(), z.int(), z.boolean()]));
const hex32 = z.string().regex(/^[0-9a-f]{64}$/u);

/** Every type of entry that the log may hold. */
export const auditTypes = [
  'request.received',
  'request.duplicate',
  'request.verification_sent',
  'request.verification_failed',
  'request.verified',
  'request.status_changed',
  'request.resolved',
  'request.identifier_found',
  'request.not_searched',
  'request.planned',
  'request.approved',
  'request.rejected',
  'request.withdrawn',
  'request.extended',
  'request.paused',
  'request.resumed',
  'request.appealed',
  'request.appeal_decided',
  'request.escalated',
  'request.closed',
  'request.reopened',
  'request.shredded',
  'task.started',
  'task.attempt_failed',
  'task.vendor_job',
  'task.called_back',
  'task.reconciled',
  'task.resumed',
  'task.contradicted',
  'task.reported',
  'task.confirmed',
  'task.still_present',
  'task.escalated',
  'task.settled',
  'task.retried',
  'task.settled_manually',
  'notification.sent',
  'notification.skipped',
  'notification.settled_manually',
  'export.ready',
  'export.code_sent',
  'export.code_failed',
  'export.downloaded',
  'export.handed_to_operator',
  'export.ended',
  'export.deletion_refused',
  'suppression.added',
  'restriction.entered',
  'restriction.lifted',
  'recipient.left_to_person',
  'certificate.issued',
  'connection.suspended',
  'connection.resumed',
  'keys.rotation_started',
  'keys.rewrapped',
  'log.created',
  'log.key_announced',
  'log.key_used',
  'log.key_retired',
  'log.verified',
] as const;

/**
 * One entry of the audit log, without `seq` and `prev`, which the log's single writer adds.
 * Codes, ids, counts and hashes only: a person appears as HMAC-SHA-256(nonce of the request, `kind:normal form`) and no other way.
 */
export const auditEntrySchema = z.strictObject({
  type: z.enum(auditTypes),
  /** When it happened, ISO 8601 in UTC. */
  at: z.iso.datetime(),
  actor: z.strictObject({ role: z.enum(['system', 'source', 'subject', 'operator']), id: code.optional() }),
  request_id: z.string().optional(),
  task_id: z.string().optional(),
  system: code.optional(),
  connector: code.optional(),
  right: rightSchema.optional(),
  law: code.optional(),
  action: code.optional(),
  decision: decisionSchema.optional(),
  from: code.optional(),
  to: code.optional(),
  outcome: outcomeSchema.optional(),
  confirmation: confirmationSchema.optional(),
  verdict: verdictSchema.optional(),
  counts: countsSchema.optional(),
  residue: z.array(residueSchema).max(50).optional(),
  proof: proofSchema.optional(),
  /** A vendor's id of its own work, keyed like an identifier where it could name the person. */
  vendor_job: z.string().max(200).optional(),
  verification_method: code.optional(),
  error_code: code.optional(),
  reason_code: code.optional(),
  legal_basis: z.string().max(200).optional(),
  /** HMACs of identifiers: found, sent or suppressed. */
  identifiers: z.array(z.strictObject({ kind: code, commitment: hex32, found_by: code.optional() })).max(200).optional(),
  attempt: z.int().nonnegative().optional(),
  template: code.optional(),
  /** A recipient of the person's data, by the code of the configuration. */
  recipient: code.optional(),
  statement_hash: hex32.optional(),
  /** SHA-256 of the text of a key of the log, `name+id+base64`. */
  key_hash: hex32.optional(),
  config_hash: hex32.optional(),
});
/** One entry of the audit log, without `seq` and `prev`. */
export type AuditEntry = z.infer<typeof auditEntrySchema>;
