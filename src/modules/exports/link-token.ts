import { createHash } from 'node:crypto';
import type { RequestId } from '../../contract/ids.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';

/** What a link ends with: 256 bits as 43 characters. Derived, so that it can be mailed again and is stored nowhere (see ADR 0005). */
export function linkToken(keys: Pick<SystemKeys, 'mac'>, requestId: RequestId, number: number): string {
  return keys.mac('token', `export_link:${requestId}:${number}`).toString('base64url');
}

/** What is stored of it. */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}
