import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure } from '../failure.ts';
import { keyBytes, open, seal } from './envelope.ts';

/** A data key under a master key: which master key, and the sealed bytes. */
export interface WrappedKey {
  readonly masterKeyId: string;
  readonly bytes: Buffer;
}

/** Wraps data keys under a master key that never leaves it. */
export interface KeyProvider {
  /** Names the master key that wraps new keys: the first 16 hex digits of a hash of it. */
  readonly masterKeyId: string;
  readonly wrap: (dataKey: Buffer, context: string) => Promise<WrappedKey>;
  /** Fails with `KEY_UNAVAILABLE` when the master key is not the one that wrapped. */
  readonly unwrap: (wrapped: WrappedKey, context: string) => Promise<Buffer>;
}

/** Makes a key provider of a master key held in memory: 32 bytes. */
export function createLocalKeyProvider(masterKey: Buffer): KeyProvider {
  if (masterKey.length !== keyBytes) {
    throw new Failure('CONFIG_INVALID', 'The master key must be 32 bytes in base64, as `openssl rand -base64 32` makes it');
  }
  const masterKeyId = createHash('sha256').update('quittance-master-key-id').update(masterKey).digest('hex').slice(0, 16);
  return {
    masterKeyId,
    wrap: async (dataKey, context) => ({ masterKeyId, bytes: seal(masterKey, dataKey, context) }),
    unwrap: async (wrapped, context) => {
      if (wrapped.masterKeyId !== masterKeyId) {
        throw new Failure('KEY_UNAVAILABLE', `The key was wrapped by master key ${wrapped.masterKeyId}, and ${masterKeyId} is configured`);
      }
      return open(masterKey, wrapped.bytes, context);
    },
  };
}

/** Reads a master key from a file of base64; makes the file, readable by its owner only, when `create` is set and it is missing. */
export function readMasterKeyFile(path: string, create: boolean): Buffer {
  if (!existsSync(path)) {
    if (!create) throw new Failure('CONFIG_INVALID', 'QUITTANCE_MASTER_KEY_FILE names a file that does not exist; make it with `openssl rand -base64 32`');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${randomBytes(keyBytes).toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
    chmodSync(path, 0o600);
  }
  return Buffer.from(readFileSync(path, 'utf8').trim(), 'base64');
}
