import { Readable } from 'node:stream';
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { Failure } from '../../platform/failure.ts';

/** A key made for one package: `secret` opens what was encrypted to `recipient`. */
export interface PackageKey {
  readonly secret: string;
  readonly recipient: string;
}

/** Makes a fresh key. Of the classical kind, since age does not mix the post-quantum one with the keys that people have today. */
export async function makePackageKey(): Promise<PackageKey> {
  const secret = await generateX25519Identity();
  return { secret, recipient: await identityToRecipient(secret) };
}

/** Encrypts to some recipients. */
export type EncryptStream = (plain: Readable) => Promise<Readable>;

/** Makes what encrypts to all of the recipients, each of whom can open it alone (age-encryption.org/v1). Fails with `VALIDATION_FAILED` when one is no recipient. */
export function encryptFor(recipients: readonly string[]): EncryptStream {
  const encrypter = new Encrypter();
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch (error) {
      throw new Failure('VALIDATION_FAILED', 'The recipient is no public key of age, which is age1 and 58 more characters', { cause: error, field: '/recipient' });
    }
  }
  return async (plain) => {
    const sealed = await encrypter.encrypt(Readable.toWeb(plain) as globalThis.ReadableStream<Uint8Array>);
    return Readable.fromWeb(sealed, { objectMode: false });
  };
}

/** Opens a stream, piece by piece; one that was changed or cut off breaks off with an error. */
export async function decryptWith(secret: string, sealed: Readable): Promise<Readable> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(secret);
  const plain = await decrypter.decrypt(Readable.toWeb(sealed) as globalThis.ReadableStream<Uint8Array>);
  return Readable.fromWeb(plain, { objectMode: false });
}
