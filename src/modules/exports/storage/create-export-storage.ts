import { join } from 'node:path';
import { z } from 'zod';
import type { ExportsConfig } from '../../../platform/config/document.ts';
import { resolveSecret, type SecretSources } from '../../../platform/config/load.ts';
import { Failure } from '../../../platform/failure.ts';
import type { ExportStorage } from './export-storage.ts';
import { createLocalStorage } from './local-storage.ts';

const at = '/exports/storage';

const serviceAccountSchema = z.object({ client_email: z.string(), private_key: z.string().includes('PRIVATE KEY'), project_id: z.string().optional() });

/** Reads the key file of a service account. Fails with `CONFIG_INVALID` that never quotes it. */
function readServiceAccount(text: string): z.infer<typeof serviceAccountSchema> {
  try {
    return serviceAccountSchema.parse(JSON.parse(text));
  } catch {
    throw new Failure('CONFIG_INVALID', `${at}/credentials: must be the JSON key of a service account, with client_email and private_key`);
  }
}

/**
 * Makes the storage that is configured; the local folder is `exports` in `dataDir`. Calls nobody. A vendor's library is loaded only where it is used:
 * each takes some tens of megabytes. Fails with `CONFIG_INVALID`.
 */
export async function createExportStorage(config: ExportsConfig, dataDir: string, secrets: SecretSources): Promise<ExportStorage> {
  const { storage, encryption } = config;
  switch (storage.kind) {
    case 'local':
      return createLocalStorage(join(dataDir, 'exports'));
    case 's3':
      return (await import('./s3-storage.ts')).createS3Storage({
        bucket: storage.bucket,
        region: storage.region,
        prefix: storage.prefix,
        endpoint: storage.endpoint,
        pathStyle: storage.path_style,
        credentials:
          storage.access_key === undefined
            ? undefined
            : { accessKeyId: resolveSecret(storage.access_key.id, `${at}/access_key/id`, secrets), secretAccessKey: resolveSecret(storage.access_key.secret, `${at}/access_key/secret`, secrets) },
        serverSideEncryption: { algorithm: storage.server_side_encryption, kmsKeyId: storage.kms_key_id },
      });
    case 'gcs':
      return (await import('./gcs-storage.ts')).createGcsStorage({
        bucket: storage.bucket,
        prefix: storage.prefix,
        endpoint: storage.endpoint,
        credentials: storage.credentials === undefined ? undefined : readServiceAccount(resolveSecret(storage.credentials, `${at}/credentials`, secrets)),
        kmsKeyName: storage.kms_key_name,
        encryptsItself: encryption === 'storage',
      });
  }
}
