import type { Lock, ObjectPlace, StoredObject } from '../../connector-kit/index.ts';
import { failureOf, S3Refusal, type S3Gateway } from './gateway.ts';

/** S3's answers where there is no lock to speak of: none on the object, or none on the whole bucket. */
const withoutLock: readonly string[] = ['NoSuchObjectLockConfiguration', 'ObjectLockConfigurationNotFoundError', 'InvalidRequest', 'NoSuchVersion', 'NoSuchKey'];

async function unlessWithout<Value>(call: Promise<Value>, now: number): Promise<Value | undefined> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof S3Refusal)) throw error;
    if (error.code !== undefined && withoutLock.includes(error.code)) return undefined;
    throw failureOf(error, now);
  }
}

/**
 * Which lock keeps a version from being deleted; undefined where none does. S3 gives one and the same `AccessDenied` for a lock and for a permission that is missing,
 * so both are asked for (S3 User Guide, Object Lock). Needs `s3:GetObjectRetention` and `s3:GetObjectLegalHold`.
 */
export async function lockOf(gateway: S3Gateway, { bucket }: ObjectPlace, { name, id }: StoredObject, now: number): Promise<Lock | undefined> {
  const { GetObjectRetentionCommand, GetObjectLegalHoldCommand } = gateway.sdk;
  const at = { Bucket: bucket, Key: name, VersionId: id };
  const hold = await unlessWithout(gateway.send(new GetObjectLegalHoldCommand(at)), now);
  // A hold has no end, so it is the stronger reason of the two.
  if (hold?.LegalHold?.Status === 'ON') return { why: 'legal_hold' };
  const retention = (await unlessWithout(gateway.send(new GetObjectRetentionCommand(at)), now))?.Retention;
  const until = retention?.RetainUntilDate?.getTime();
  if (until === undefined || until <= now) return undefined;
  return { why: retention?.Mode === 'GOVERNANCE' ? 'retention_lock_governance' : 'retention_lock_compliance', until };
}
