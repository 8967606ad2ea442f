import { z } from 'zod';
import { createGuardedFetch, vendorFailure, type Transport } from '../../connector-kit/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { ProofServiceConfig } from '../../platform/config/document.ts';
import { resolveSecret, type SecretSources } from '../../platform/config/load.ts';
import { Failure } from '../../platform/failure.ts';
import { Secret } from '../../platform/secret.ts';

/** What the verification service is asked: whether a proof belongs to the person who has all of these. */
export interface ProofQuestion {
  /** Our id of the request, as people see it. */
  readonly requestId: string;
  /** The same for every try of one proof of a request. */
  readonly idempotencyKey: string;
  readonly proof: string;
  /** In normal form. */
  readonly email: string | undefined;
  readonly phone: string | undefined;
}

/**
 * Asks the verification service. Only a well-formed `match: true` is a match. Fails with `VENDOR_*` and `CONNECTION_*`: nothing of that says
 * anything about the proof.
 */
export type ProofService = (question: ProofQuestion) => Promise<'match' | 'no_match'>;

/** What asking needs. */
export interface ProofServiceDeps {
  readonly clock: Clock;
  readonly secrets: SecretSources;
  readonly transport: Transport;
}

const place = '/identity/proof_service';
/** The answer may say which request it is about; then it must be ours. Whatever else it says is passed over. */
const answerSchema = z.object({ match: z.boolean(), request_id: z.string().optional() });

function readUrl(text: string): URL {
  if (!URL.canParse(text)) throw new Failure('CONFIG_INVALID', `${place}/url must be a URL`);
  return new URL(text);
}

/** Makes the client of the configured service. Fails with `CONFIG_INVALID` when the token is missing, or the address is neither https nor this machine's. */
export function createProofService(config: ProofServiceConfig, deps: ProofServiceDeps): ProofService {
  const url = readUrl(resolveSecret(config.url, `${place}/url`, deps.secrets));
  if (url.protocol !== 'https:' && url.hostname !== '127.0.0.1' && url.hostname !== 'localhost') {
    // Over plain HTTP, whoever stands between reads who asks, and answers for the service.
    throw new Failure('CONFIG_INVALID', `${place}/url must be https://`);
  }
  const token = new Secret(resolveSecret(config.token, `${place}/token`, deps.secrets));
  const fetch = createGuardedFetch({ egress: [url.origin], timeoutMs: config.timeout_seconds * 1000, transport: deps.transport });
  return async ({ requestId, idempotencyKey, proof, email, phone }) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token.reveal()}`, 'content-type': 'application/json', accept: 'application/json', 'idempotency-key': idempotencyKey },
      body: JSON.stringify({ request_id: requestId, identity_proof_hash: proof, subject: { email, phone } }),
    });
    if (response.status !== 200) throw vendorFailure(response.status, { retryAfter: response.headers.get('retry-after'), now: deps.clock.now() });
    const answer = answerSchema.safeParse(await response.json().catch(() => undefined));
    if (!answer.success || (answer.data.request_id !== undefined && answer.data.request_id !== requestId)) {
      throw new Failure('VENDOR_MALFORMED', 'The verification service answered with something else than {"match": true} or {"match": false} about this request');
    }
    return answer.data.match ? 'match' : 'no_match';
  };
}
