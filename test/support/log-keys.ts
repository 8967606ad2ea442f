import type { ChangingKey, ReadKey } from '../../src/platform/crypto/system-keys.ts';
import type { LogKeys } from '../../src/modules/audit/log-keys.ts';
import type { NoteSigner } from '../../src/verify/index.ts';

/** A system key of this value, kept in memory and not wrapped. */
export function signingKeyOf(seed: Buffer): ChangingKey {
  let now: ReadKey = { plain: seed, stored: seed };
  return {
    read: async () => now,
    wrap: async (plain) => ({ masterKeyId: 'test', bytes: plain }),
    replace: async (_tx, before, after) => {
      if (!before.stored.equals(now.stored)) return false;
      now = { plain: after.bytes, stored: after.bytes };
      return true;
    },
  };
}

/** The keys of a log that has one key and never another. */
export function onlyKey(signer: NoteSigner): Pick<LogKeys, 'origin' | 'read' | 'tend'> {
  const { verifierKey } = signer;
  const keys = { current: signer, signing: [signer], signers: [signer], trusted: [verifierKey.text], verifierKeys: [verifierKey], views: [] };
  return { origin: verifierKey.name, read: async () => keys, tend: async () => false };
}
