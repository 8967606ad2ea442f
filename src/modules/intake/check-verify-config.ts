import type { ConfigDocument, VerifyPolicy } from '../../platform/config/document.ts';
import { Failure } from '../../platform/failure.ts';

/**
 * Refuses a configuration under which a person could never prove who they are: a source or an API key whose way of proving needs a mail
 * server, a sender of messages or a verification service that is not there. Fails with `CONFIG_INVALID`, naming the first such place.
 */
export function checkVerifyConfig(config: Pick<ConfigDocument, 'mail' | 'sources' | 'access' | 'identity'>): void {
  const missing: Readonly<Record<VerifyPolicy, string | undefined>> = {
    source: undefined,
    email_code: config.mail === undefined ? '/mail' : undefined,
    sms_code: config.identity.sms === undefined ? '/identity/sms' : undefined,
    proof: config.identity.proof_service === undefined ? '/identity/proof_service' : undefined,
  };
  const places = [
    ...Object.entries(config.sources).map(([name, { verify }]) => ({ place: `/sources/${name}`, verify })),
    ...config.access.api_keys.map(({ name, verify }) => ({ place: `/access/api_keys (${name})`, verify })),
  ];
  for (const { place, verify } of places) {
    const needed = missing[verify];
    if (needed !== undefined) throw new Failure('CONFIG_INVALID', `${place} has verify: ${verify}, which needs ${needed}; set it, or verify: source if people are verified before`);
  }
}
