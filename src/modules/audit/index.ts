export { createAudit, type Audit, type AuditDeps } from './create-audit.ts';
export type { CertificateIssuer } from './certificates.ts';
export type { ExportedLog } from './export-log.ts';
export type { AuditAlert, AuditLogVerification, VerifyAuditLogOptions } from './verify-audit-log.ts';
export { auditVerify } from './jobs.ts';
