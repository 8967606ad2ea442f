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

/** Wraps data keys under a master key that never leaves it, and opens those that any configured master key wrapped. */
export interface KeyProvider {
  /** Names the master key that wraps new keys: the first 16 hex digits of a hash of it. */
  readonly masterKeyId: string;
  /** Names every master key that is configured, the one that wraps first. */
  readonly masterKeyIds: readonly string[];
  readonly wrap: (dataKey: Buffer, context: string) => Promise<WrappedKey>;
  /** Fails with `KEY_UNAVAILABLE`, naming the master key that is needed, when that one is not configured. */
  readonly unwrap: (wrapped: WrappedKey, context: string) => Promise<Buffer>;
}

const idOf = (masterKey: Buffer): string => createHash('sha256').update('quittance-master-key-id').update(masterKey).digest('hex').slice(0, 16);

/** Says which master key is needed and what to do; ids are hashes, and no secret. */
export function missingMasterKey(neededId: string, configuredIds: readonly string[]): string {
  return `master key ${neededId} is needed and not configured here (configured: ${configuredIds.join(', ')}); add it to QUITTANCE_MASTER_KEY or its file, behind the first, and restart`;
}

/** Makes a key provider of master keys held in memory, 32 bytes each: `masterKey` wraps, `others` only open what they once wrapped. */
export function createLocalKeyProvider(masterKey: Buffer, others: readonly Buffer[] = []): KeyProvider {
  const keys = new Map<string, Buffer>();
  for (const key of [masterKey, ...others]) {
    if (key.length !== keyBytes) {
      throw new Failure('CONFIG_INVALID', 'Each master key must be 32 bytes in base64, as `openssl rand -base64 32` makes it');
    }
    keys.set(idOf(key), key);
  }
  const masterKeyId = idOf(masterKey);
  const masterKeyIds = [...keys.keys()];
  return {
    masterKeyId,
    masterKeyIds,
    wrap: async (dataKey, context) => ({ masterKeyId, bytes: seal(masterKey, dataKey, context) }),
    unwrap: async (wrapped, context) => {
      const key = keys.get(wrapped.masterKeyId);
      if (key === undefined) throw new Failure('KEY_UNAVAILABLE', `A key is not destroyed, but cannot be opened: ${missingMasterKey(wrapped.masterKeyId, masterKeyIds)}`);
      return open(key, wrapped.bytes, context);
    },
  };
}

/**
 * Makes a key provider of the text of a setting or a file: master keys in base64, separated by commas, spaces or lines. The first wraps, the
 * others only open. Fails with `CONFIG_INVALID`, and never quotes the text.
 */
export function readMasterKeys(text: string): KeyProvider {
  const [first, ...others] = text.split(/[\s,]+/u).filter((each) => each !== '').map((each) => Buffer.from(each, 'base64'));
  return createLocalKeyProvider(first ?? Buffer.alloc(0), others);
}

/** Reads master keys from a file, one a line. Fails with `CONFIG_INVALID` when there is no such file, saying what to do. */
export function readMasterKeyFile(path: string): KeyProvider {
  if (!existsSync(path)) throw new Failure('CONFIG_INVALID', `The master key's file ${path} does not exist; a new installation makes one with \`openssl rand -base64 32\`, an old one has its own put back`);
  return readMasterKeys(readFileSync(path, 'utf8'));
}

/** Makes a master key and its file, readable by its owner only, unless the file is there already. */
export function ensureMasterKeyFile(path: string): void {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${randomBytes(keyBytes).toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
  chmodSync(path, 0o600);
}
