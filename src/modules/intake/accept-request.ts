import type { Right } from '../../contract/outcomes.ts';
import { parseJson } from '../../platform/http/server.ts';
import type { Clock } from '../../platform/clock.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';
import { tablesOf, type Database } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { newId } from '../../platform/ids.ts';
import { verificationMethodFor, type Vault } from '../identity/index.ts';
import { requestBody, type OpenRequest, type Opened } from '../requests/index.ts';
import type { AcceptedAnswer } from './answers.ts';
import { readBody, type ParsedBody } from './domain/bodies.ts';
import { findMessage, keepAnswer, takeMessage, type MessageKey, type SeenMessage } from './store.ts';
import type { IntakeTables } from './tables.ts';

/** What accepting a request needs. */
export interface AcceptRequestDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly systemKeys: Pick<SystemKeys, 'mac'>;
  readonly vault: Pick<Vault, 'prepare'>;
  readonly openRequest: OpenRequest;
  /** ISO 3166: for phone numbers without a country code. */
  readonly defaultCountry: string;
}

/** A message whose sender is known, its body unread. */
export interface IncomingMessage {
  /** The source's name, or `api:<key name>`. */
  readonly source: string;
  /** The sender's own id of it. */
  readonly id: string;
  readonly body: Buffer;
  readonly subjectVerified: boolean;
  readonly right: Right;
  /** Assumed when the body names none. */
  readonly jurisdiction: string | undefined;
}

/** What a message is answered: 202 the first time, 200 every time after. */
export interface Accepted {
  readonly status: 200 | 202;
  readonly answer: AcceptedAnswer;
}

/** Opens a request for a message, or answers as the first time. */
export type AcceptRequest = (message: IncomingMessage) => Promise<Accepted>;

/**
 * Makes the use case. The replay record, the request, its first audit entry and its first job commit together; a message that fails leaves
 * nothing. Fails with `IDEMPOTENCY_KEY_REUSED` for a known id with another body, and as `readBody` does.
 */
export function createAcceptRequest(deps: AcceptRequestDeps): AcceptRequest {
  return async (message) => {
    const key: MessageKey = { source: message.source, messageId: deps.systemKeys.mac('lookup', `message:${message.source}:${message.id}`) };
    // Keyed: a short body can be guessed from a plain hash, and this one is kept after the person is forgotten.
    const payloadHash = deps.systemKeys.mac('lookup', `payload:${message.body.toString('base64')}`);
    const before = await findMessage(deps.database.read<IntakeTables>(), key);
    if (before !== undefined) return repeat(before, payloadHash);

    const parsed = readBody(parseJson(message.body), { defaultCountry: deps.defaultCountry, subjectVerified: message.subjectVerified });
    const prepared = await deps.vault.prepare(newId('request'));
    return deps.database.transaction(async (tx) => {
      const trx = tablesOf<IntakeTables>(tx);
      if (!(await takeMessage(trx, key, payloadHash, new Date(deps.clock.now())))) {
        const first = await findMessage(trx, key);
        if (first === undefined) throw new Error('A message conflicted with one that cannot be read');
        return repeat(first, payloadHash);
      }
      const opened = await deps.openRequest(
        tx,
        {
          source: message.source,
          sourceId: key.messageId.toString('hex'),
          payloadHash,
          right: parsed.right ?? message.right,
          jurisdiction: parsed.jurisdiction ?? message.jurisdiction,
          identifiers: parsed.identifiers,
          subjectVerified: message.subjectVerified,
        },
        prepared,
      );
      const answer = answerOf(opened, message.subjectVerified, parsed);
      await keepAnswer(trx, key, answer);
      return { status: opened.created ? 202 : 200, answer };
    });
  };
}

function repeat(seen: SeenMessage, payloadHash: Buffer): Accepted {
  if (!seen.payloadHash.equals(payloadHash)) {
    throw new Failure('IDEMPOTENCY_KEY_REUSED', 'This id was sent before with another body; send a new id with a new request');
  }
  return { status: 200, answer: seen.answer as AcceptedAnswer };
}

const verificationDetail = {
  source: 'The source has verified who the person is.',
  email_code: 'A code was sent to the e-mail address given. Nothing further happens until it is given to the verification link.',
  operator: 'No e-mail address was given, so no code can be sent. An operator must decide, having seen who the person is; until then nothing further happens, and in the end the request expires.',
} as const;

function answerOf({ request }: Opened, subjectVerified: boolean, parsed: ParsedBody): AcceptedAnswer {
  const { id, reference, status, due_at: dueAt, links } = requestBody(request);
  const method = subjectVerified ? 'source' : verificationMethodFor(parsed.identifiers.some((each) => each.kind === 'email'));
  return {
    id,
    reference,
    status,
    due_at: dueAt,
    verification: { method, detail: verificationDetail[method] },
    links: { ...links, verification: `${links['self'] ?? ''}/verification` },
  };
}
