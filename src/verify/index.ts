export { canonicalJson, type CanonicalValue } from './canonical-json.ts';
export {
  certificateEntryType,
  certificateFormat,
  commitIdentifier,
  formatCertificate,
  statementHash,
  verifyCertificate,
  type CertificateParts,
  type CertificateVerification,
  type CertificateVerified,
  type Disclosure,
} from './certificate.ts';
export { formatCheckpoint, openCheckpoint, parseCheckpoint, signCheckpoint, type Checkpoint, type OpenedCheckpoint } from './checkpoint.ts';
export { firstPrev, parseEntry, type AuditEntryHead } from './entry.ts';
export { verifyFolder, type FileReader, type FolderVerification } from './folder.ts';
export { formatTrustedKey, parseTrustedKey, readKeys, verifyHeads, type ProofGrade, type SignedHead, type TimestampCheck, type Trust, type VerifiedHead } from './heads.ts';
export { verifyLog, type LogRow, type LogVerification, type LogVerified, type VerifiedPrefix } from './log.ts';
export {
  createFrontier,
  emptyRoot,
  hashBytes,
  leafHash,
  nodeHash,
  nodesOfRange,
  proveConsistency,
  proveInclusion,
  readRoot,
  rootOf,
  sha256,
  verifyConsistency,
  verifyInclusion,
  type Frontier,
  type NodeReader,
  type TreeNode,
} from './merkle.ts';
export { createNoteSigner, openNote, parseNote, parseVerifierKey, signNote, type NoteSigner, type VerifierKey } from './note.ts';
export { type CheckName, type Checked, type Refusal } from './result.ts';
export { parseStatement, type Statement, type StatementSystem } from './statement.ts';
export {
  createTileReader,
  readWholeTiles,
  MissingHashes,
  encodeBundle,
  decodeBundle,
  entryBytesMax,
  hashOfTile,
  parseTilePath,
  tileHeight,
  tilePath,
  tilesOfLevel,
  tileWidth,
  type LevelReader,
  type TileRef,
} from './tiles.ts';
export { formatTlogProof, parseTlogProof, type TlogProof } from './tlog-proof.ts';
