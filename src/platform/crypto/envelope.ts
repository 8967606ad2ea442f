import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Failure } from '../failure.ts';

/** Bytes of an AES-256 key. */
export const keyBytes = 32;
/** Bytes of the nonce that NIST SP 800-38D recommends for GCM; random, and a key seals far fewer than 2^32 values. */
const nonceBytes = 12;
const tagBytes = 16;
/** The first byte of every sealed value, so that the format can change. */
const version = 1;

/**
 * Encrypts with AES-256-GCM under a fresh random nonce. `context` is authenticated but not stored: a value that was moved to another row
 * does not open there.
 */
export function seal(key: Buffer, plain: Buffer, context: string): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(context, 'utf8'));
  const body = cipher.update(plain);
  // A stream cipher has nothing left at its end; the tag is there after it.
  cipher.final();
  return Buffer.concat([Buffer.from([version]), nonce, cipher.getAuthTag(), body]);
}

/** Opens what `seal` made with the same key and context; fails with `KEY_UNAVAILABLE` when the key or the value is another. */
export function open(key: Buffer, sealed: Uint8Array, context: string): Buffer {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  if (bytes.length < 1 + nonceBytes + tagBytes || bytes[0] !== version) {
    throw new Failure('KEY_UNAVAILABLE', 'A sealed value has an unknown format');
  }
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, 1 + nonceBytes), { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(context, 'utf8'));
  decipher.setAuthTag(bytes.subarray(1 + nonceBytes, 1 + nonceBytes + tagBytes));
  try {
    const plain = decipher.update(bytes.subarray(1 + nonceBytes + tagBytes));
    decipher.final();
    return plain;
  } catch (error) {
    throw new Failure('KEY_UNAVAILABLE', 'A sealed value does not open with this key', { cause: error });
  }
}
