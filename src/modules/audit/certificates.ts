import { formatId, type RequestId } from '../../contract/ids.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import {
  canonicalJson,
  certificateEntryType,
  createTileReader,
  readWholeTiles,
  formatCertificate,
  formatTlogProof,
  parseStatement,
  proveInclusion,
  sha256,
  verifyCertificate,
  type Disclosure,
} from '../../verify/index.ts';
import { signersOf, type LogKeys } from './log-keys.ts';
import { createLevelReader, findLog, newestCheckpoint, rowOfEvent } from './log-store.ts';
import { insertStatement, newestStatement } from './outbox-store.ts';
import { recordAuditEntry } from './record-audit-entry.ts';
import type { AuditLogTables, AuditOutboxTables } from './tables.ts';

/** What issuing certificates needs. */
export interface CertificateDeps {
  readonly main: Database;
  readonly audit: Database;
  readonly keys: Pick<LogKeys, 'origin' | 'read'>;
  readonly clock: Clock;
}

/** Issues certificates. */
export interface CertificateIssuer {
  /** Records, in the caller's transaction, the entry that commits to the statement. The caller sees to it that this happens once. */
  readonly request: (tx: Tx, requestId: RequestId, statement: unknown) => Promise<void>;
  /**
   * Gives the certificate of a request's newest statement, or undefined while no signed head covers its entry, or none was asked for.
   * With a disclosure it is the person's own copy. Fails with `AUDIT_INVALID` when what would be handed out does not verify.
   */
  readonly build: (requestId: RequestId, disclosure?: Disclosure) => Promise<Buffer | undefined>;
}

/** Makes the issuer. Nothing waits here: the entry is recorded with what it certifies, and building is tried again until it is covered. */
export function createCertificateIssuer(deps: CertificateDeps): CertificateIssuer {
  const request: CertificateIssuer['request'] = async (tx, requestId, statement) => {
    // Through JSON, so that what is hashed is what a reader of the text will parse: fields that are undefined are not there.
    const plain = JSON.parse(JSON.stringify(statement)) as unknown;
    const text = canonicalJson(plain);
    const parsed = parseStatement(plain);
    if (text === undefined || !parsed.ok) throw new Error(`A statement cannot be certified: ${parsed.ok ? 'it holds a fraction or a broken text' : parsed.message}`);
    if (parsed.statement.request.id !== formatId('request', requestId)) throw new Error('A statement is about another request');
    const eventId = await recordAuditEntry(tx, {
      type: certificateEntryType,
      at: isoTime(deps.clock.now()),
      actor: { role: 'system' },
      request_id: parsed.statement.request.id,
      statement_hash: sha256(text).toString('hex'),
    });
    await insertStatement(tablesOf<AuditOutboxTables>(tx), { event_id: eventId, request_id: requestId, statement: text });
  };
  const build: CertificateIssuer['build'] = async (requestId, disclosure) => {
    const kept = await newestStatement(deps.main.read<AuditOutboxTables>(), requestId);
    if (kept === undefined) return undefined;
    const db = deps.audit.read<AuditLogTables>();
    const { origin } = deps.keys;
    const logId = await findLog(db, origin);
    const row = await rowOfEvent(db, kept.event_id);
    const head = logId === undefined ? undefined : await newestCheckpoint(db, logId);
    if (logId === undefined || row === undefined || head === undefined || head.size <= row.seq) return undefined;
    const hashes = await proveInclusion(row.seq, head.size, createTileReader(readWholeTiles(createLevelReader(db, logId))));
    const parsed = parseStatement(JSON.parse(kept.statement));
    if (!parsed.ok) throw new Failure('AUDIT_INVALID', `The kept statement of a certificate was changed: ${parsed.message}`);
    // Read after the head: whoever signed it is known. All of them seal, so that whoever trusts one of them can verify.
    const { signers } = await deps.keys.read();
    const sealing = signersOf(head.note, signers);
    const keys = sealing.map((signer) => signer.verifierKey.text);
    // The newest head is a retired key's: the next one is the present key's, and comes soon.
    if (sealing.length === 0) return undefined;
    const bytes = formatCertificate(
      {
        statement: parsed.statement,
        leaf: row.entry,
        proof: formatTlogProof({ index: row.seq, hashes, checkpoint: head.note }),
        policy: `${keys.map((key) => `log ${key}\n`).join('')}quorum none\n`,
        timestamps: [],
        ...(disclosure === undefined ? {} : { disclosure }),
      },
      ...sealing,
    );
    // Nothing is handed out that its receiver could not verify.
    for (const key of keys) {
      const verified = verifyCertificate(bytes, { keys: [key], origin });
      if (!verified.ok) throw new Failure('AUDIT_INVALID', `A certificate does not verify (${verified.check}): ${verified.message}`);
    }
    return bytes;
  };
  return { request, build };
}
