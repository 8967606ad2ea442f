import {
  canonicalJson,
  certificateEntryType,
  commitIdentifier,
  createFrontier,
  createNoteSigner,
  createTileReader,
  encodeBundle,
  firstPrev,
  formatCertificate,
  formatTlogProof,
  hashOfTile,
  leafHash,
  proveInclusion,
  rootOf,
  signCheckpoint,
  statementHash,
  tilePath,
  tilesOfLevel,
  tileWidth,
  type LogRow,
  type NoteSigner,
  type Statement,
} from '../../../src/verify/index.ts';

/** The origin of the logs made here. */
export const testOrigin = 'quittance.example/log/main';

/** A signer whose key is the same in every run: tests and committed samples agree. */
export function testSigner(fill = 7, name = testOrigin): NoteSigner {
  return createNoteSigner(name, Buffer.alloc(32, fill));
}

/** The fields that a test entry has besides those of its place in the log. */
export type TestFields = Readonly<Record<string, string | number>>;

/** Gives one entry's bytes. */
export function makeEntry(seq: number, prev: string, fields: TestFields = {}, log = testOrigin): Buffer {
  const number = String(seq).padStart(12, '0');
  const text = canonicalJson({
    log,
    seq,
    prev,
    event_id: `00000000-0000-7000-8000-${number}`,
    type: 'task.settled',
    at: new Date(Date.UTC(2026, 10, 1) + seq * 1000).toISOString(),
    system: 'stripe',
    action: 'erase',
    outcome: 'erased',
    ...fields,
  });
  return Buffer.from(text ?? '', 'utf8');
}

/** Makes a chained log; `fields` changes single entries. */
export function makeRows(size: number, fields: Readonly<Record<number, TestFields>> = {}, log = testOrigin): LogRow[] {
  const rows: LogRow[] = [];
  let prev = firstPrev;
  for (let seq = 0; seq < size; seq += 1) {
    const entry = makeEntry(seq, prev, fields[seq], log);
    const hash = leafHash(entry);
    rows.push({ seq, entry, hash });
    prev = hash.toString('hex');
  }
  return rows;
}

/** Signs the head over the first `size` rows. */
export function signHead(rows: readonly LogRow[], size: number, signer = testSigner(), origin = testOrigin): string {
  return signCheckpoint({ origin, size, root: rootOf(rows.slice(0, size).map((row) => row.hash)) }, signer);
}

/** Gives the hashes of each tile level, level 0 first. */
export function tileLevels(rows: readonly LogRow[]): Buffer[][] {
  const levels: Buffer[][] = [rows.map((row) => Buffer.from(row.hash))];
  for (let level = levels[0] ?? []; level.length >= tileWidth; level = levels.at(-1) ?? []) {
    const next: Buffer[] = [];
    for (let at = 0; at + tileWidth <= level.length; at += tileWidth) next.push(hashOfTile(level.slice(at, at + tileWidth)));
    levels.push(next);
  }
  return levels;
}

/** Gives an exported log as files by path. */
export function makeFolder(rows: readonly LogRow[], heads: readonly string[]): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  files.set('checkpoint', Buffer.from(heads.at(-1) ?? '', 'utf8'));
  files.set('checkpoints.jsonl', Buffer.from(heads.map((note) => `${JSON.stringify(note)}\n`).join(''), 'utf8'));
  for (const tile of tilesOfLevel('entries', rows.length)) {
    const part = rows.slice(tile.index * tileWidth, tile.index * tileWidth + tile.width);
    files.set(tilePath(tile), encodeBundle(part.map((row) => row.entry)));
  }
  for (const [level, hashes] of tileLevels(rows).entries()) {
    for (const tile of tilesOfLevel(level, rows.length)) {
      files.set(tilePath(tile), Buffer.concat(hashes.slice(tile.index * tileWidth, tile.index * tileWidth + tile.width)));
    }
  }
  return files;
}

/** The nonce of the sample request. */
export const testNonce: Buffer = Buffer.alloc(32, 9);

const testIdentifier = { kind: 'email', commitment: commitIdentifier(testNonce, 'email', 'ada.beispiel@example.com') };

/** A statement of three systems, as the main job makes it. */
export function makeStatement(): Statement {
  return {
    request: { id: 'req_06b0x3m8v1e5rb2k7n9q4tz6wd', reference: 'QT-7K2M-9XPA' },
    right: 'erasure',
    law: 'gdpr',
    jurisdiction: 'DE',
    controller: { name: 'Example Handel GmbH', contact: 'privacy@example.com' },
    received_at: '2026-11-01T09:00:00.000Z',
    verified_at: '2026-11-01T09:02:11.000Z',
    completed_at: '2026-11-01T09:04:30.512Z',
    due_at: '2026-12-01T09:00:00.000Z',
    verdict: 'fulfilled_with_retention',
    systems: [
      {
        system: 'crm-voice',
        connector: 'twilio',
        action: 'erase',
        outcome: 'erased',
        confirmation: 'verified_absent',
        counts: { profiles: 1, messages: 12, recordings: 2 },
        method: 'clear',
        identifier: testIdentifier,
        residue: [{ what: 'recording_metadata', why: 'vendor_retention', until: '2026-12-11T00:00:00Z' }],
        proof: {},
        settled_at: '2026-11-01T09:03:30.000Z',
      },
      {
        system: 'payments',
        connector: 'stripe',
        action: 'erase',
        outcome: 'erased',
        confirmation: 'verified_absent',
        counts: { customers: 1, payment_methods: 2 },
        method: 'clear',
        identifier: testIdentifier,
        residue: [{ what: 'invoices', why: 'legal_obligation', legal_basis: 'GDPR Art. 17(3)(b), AO § 147', until: '2034-12-31T23:59:59Z', count: 3 }],
        proof: { mark_read_back: true, mark_value: 'redacted' },
        settled_at: '2026-11-01T09:03:00.000Z',
      },
      {
        system: 'events',
        connector: 'segment',
        action: 'erase',
        outcome: 'erased',
        confirmation: 'attested_by_vendor',
        counts: { regulations: 1 },
        method: 'clear',
        identifier: testIdentifier,
        residue: [],
        proof: {},
        settled_at: '2026-11-01T09:04:30.000Z',
      },
    ],
    backups_expire_at: '2027-02-01T00:00:00Z',
  };
}

/** Makes a certificate in a log of `size` rows, its entry at `index`. */
export async function makeCertificate(size = 300, index = 123, disclose = true, signers: readonly NoteSigner[] = [testSigner()]): Promise<{ readonly bytes: Buffer; readonly rows: readonly LogRow[] }> {
  const statement = makeStatement();
  const rows = makeRows(size, { [index]: { type: certificateEntryType, request_id: statement.request.id, statement_hash: statementHash(statement) } });
  const levels = tileLevels(rows);
  const read = createTileReader(async (level, from, count) => (levels[level] ?? []).slice(from, from + count));
  const proof = formatTlogProof({ index, hashes: await proveInclusion(index, size, read), checkpoint: signCheckpoint({ origin: testOrigin, size, root: rootOf(rows.map((each) => each.hash)) }, ...signers) });
  const row = rows[index];
  if (row === undefined) throw new RangeError('The index is below the size');
  const policy = `${signers.map((signer) => `log ${signer.verifierKey.text}\n`).join('')}quorum none\n`;
  const parts = { statement, leaf: row.entry, proof, policy, timestamps: [] };
  if (!disclose) return { bytes: formatCertificate(parts, ...signers), rows };
  const identifiers = [{ ...testIdentifier, normal_form: 'ada.beispiel@example.com' }];
  return { bytes: formatCertificate({ ...parts, disclosure: { nonce: testNonce.toString('base64'), identifiers } }, ...signers), rows };
}

/** Chains rows anew from `from` on, as somebody would who rewrites a log and knows how it is made. */
export function rechain(rows: readonly LogRow[], from: number): LogRow[] {
  const kept = rows.slice(0, from);
  let prev = kept.at(-1) === undefined ? firstPrev : Buffer.from(kept.at(-1)?.hash ?? []).toString('hex');
  for (const row of rows.slice(from)) {
    const seq = kept.length;
    const fields = { ...(JSON.parse(Buffer.from(row.entry).toString('utf8')) as Record<string, string | number>), seq, prev };
    const entry = Buffer.from(canonicalJson(fields) ?? '', 'utf8');
    const hash = leafHash(entry);
    kept.push({ seq, entry, hash });
    prev = hash.toString('hex');
  }
  return kept;
}

/** Gives the prefix of a log that a verification would leave behind. */
export function prefixOf(rows: readonly LogRow[], size: number): { size: number; hashes: readonly Buffer[]; lastHash: Buffer } {
  const tree = createFrontier();
  for (const row of rows.slice(0, size)) tree.append(Buffer.from(row.hash));
  return { size, hashes: tree.hashes(), lastHash: Buffer.from(rows[size - 1]?.hash ?? []) };
}
