import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { Failure } from '../failure.ts';
import type { Random } from '../random.ts';
import { Secret } from '../secret.ts';
import { ensureMasterKeyFile, readMasterKeyFile, readMasterKeys, type KeyProvider } from './key-provider.ts';

/** The master keys. One is made, in the data folder, for a new embedded installation alone: to an old one a fresh key would be of no use. */
export function keyProviderOf(settings: Settings, isNew: boolean): KeyProvider {
  if (settings.masterKey !== undefined) return readMasterKeys(settings.masterKey.reveal());
  if (settings.masterKeyFile !== undefined) return readMasterKeyFile(settings.masterKeyFile);
  if (settings.databaseUrl !== undefined) {
    throw new Failure('CONFIG_INVALID', 'With PostgreSQL set QUITTANCE_MASTER_KEY or QUITTANCE_MASTER_KEY_FILE: all processes need the same key (`openssl rand -base64 32` makes one)');
  }
  const path = join(settings.dataDir, 'master.key');
  if (isNew) ensureMasterKeyFile(path);
  return readMasterKeyFile(path);
}

/** The operator key of an embedded server, in a file that only its owner can read; made at the first start. */
export function operatorKeyOf(settings: Settings, random: Random): Secret | undefined {
  if (settings.databaseUrl !== undefined) return undefined;
  const path = join(settings.dataDir, 'operator.key');
  if (!existsSync(path)) writeFileSync(path, `${random.bytes(32).toString('base64url')}\n`, { mode: 0o600 });
  return new Secret(readFileSync(path, 'utf8').trim());
}
