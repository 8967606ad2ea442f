import { auditEntrySchema, type AuditEntry } from '../../contract/audit-entry.ts';
import { parseId } from '../../contract/ids.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { newEventId } from '../../platform/ids.ts';
import { canonicalJson } from '../../verify/index.ts';
import { insertOutbox } from './outbox-store.ts';
import type { AuditOutboxTables } from './tables.ts';

/** The longest entry taken, in bytes; the writer adds about 300 for its place in the log, and a bundle's length field ends at 65,535. */
const entryBytesAccepted = 64_000;

/**
 * Records an entry in the caller's transaction: it reaches the audit log once, if and only if the transaction commits. Gives its event id, which is made unless one
 * is given.
 * An entry that could not be appended later (unknown fields, free text, fractions) throws here, where the bug is, and names no value.
 */
export async function recordAuditEntry(tx: Tx, entry: AuditEntry, eventId: string = newEventId()): Promise<string> {
  const parsed = auditEntrySchema.safeParse(entry);
  if (!parsed.success) {
    const paths = parsed.error.issues.map((issue) => `/${issue.path.join('/')} ${issue.code}`);
    throw new Error(`An audit entry of the type ${entry.type} does not fit its schema: ${paths.join(', ')}`);
  }
  const text = canonicalJson(JSON.parse(JSON.stringify(parsed.data)));
  if (text === undefined || Buffer.byteLength(text) > entryBytesAccepted) {
    throw new Error(`An audit entry of the type ${entry.type} holds a fraction, a broken text, or too much`);
  }
  const requestId = entry.request_id === undefined ? undefined : parseId('request', entry.request_id);
  await insertOutbox(tablesOf<AuditOutboxTables>(tx), eventId, requestId, text);
  return eventId;
}
