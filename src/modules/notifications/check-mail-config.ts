import type { ConfigDocument } from '../../platform/config/document.ts';
import { Failure } from '../../platform/failure.ts';

/**
 * Refuses a configuration under which a person could never prove who they are: a source or an API key that has not verified them needs a
 * mail server for the code. Fails with `CONFIG_INVALID`, naming the first such place.
 */
export function checkMailConfig(config: Pick<ConfigDocument, 'mail' | 'sources' | 'access'>): void {
  if (config.mail !== undefined) return;
  const source = Object.entries(config.sources).find(([, each]) => !each.subject_verified);
  const key = config.access.api_keys.find((each) => !each.subject_verified);
  if (source === undefined && key === undefined) return;
  const place = source === undefined ? `/access/api_keys (${key?.name ?? ''})` : `/sources/${source[0]}`;
  throw new Failure(
    'CONFIG_INVALID',
    `${place} has subject_verified: false, so each person is sent a code by e-mail; set /mail, or subject_verified: true if they are verified before`,
  );
}
