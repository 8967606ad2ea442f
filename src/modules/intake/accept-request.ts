import { parseId, type RequestId } from '../../contract/ids.ts';
import type { Right } from '../../contract/outcomes.ts';
import { parseJson } from '../../platform/http/server.ts';
import type { Clock } from '../../platform/clock.ts';
import type { VerifyPolicy } from '../../platform/config/document.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import { newId } from '../../platform/ids.ts';
import type { OpenVault, ProofVerification, Vault } from '../identity/index.ts';
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
  readonly vault: Pick<Vault, 'prepare' | 'unlock'>;
  readonly openRequest: OpenRequest;
  readonly giveAnotherProof: ProofVerification['giveAnother'];
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
  readonly verify: VerifyPolicy;
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

/** What a message is known by when it comes again: itself, and the request that it is about where its body has an id for that. */
interface Known {
  readonly message: MessageKey;
  /** Keyed: a short body can be guessed from a plain hash, and this one is kept after the person is forgotten. */
  readonly messageHash: Buffer;
  readonly request: MessageKey;
  readonly requestHash: Buffer;
}

/**
 * Makes the use case. The replay record, the request, its first audit entry and its first job commit together; a message that fails leaves
 * nothing. A message is known again by its own id first, then by the `request_id` in its body: either gets the first answer. Fails with
 * `IDEMPOTENCY_KEY_REUSED` for a known message id with another body, and for a known `request_id` with another person, right or
 * jurisdiction; and as `readBody` does.
 */
export function createAcceptRequest(deps: AcceptRequestDeps): AcceptRequest {
  const mac = (text: string): Buffer => deps.systemKeys.mac('lookup', text);

  const knownBy = ({ source, id, body }: IncomingMessage, parsed: ParsedBody): Known => {
    const message = { source, messageId: mac(`message:${source}:${id}`) };
    const messageHash = mac(`payload:${body.toString('base64')}`);
    if (parsed.requestId === undefined) return { message, messageHash, request: message, requestHash: messageHash };
    const asked = [parsed.right, parsed.jurisdiction, parsed.identifiers.map((each) => [each.kind, each.value]), parsed.corrections];
    return { message, messageHash, request: { source, messageId: mac(`request:${source}:${parsed.requestId}`) }, requestHash: mac(`asked:${JSON.stringify(asked)}`) };
  };

  const open = async (tx: Tx, message: IncomingMessage, parsed: ParsedBody, known: Known, prepared: Awaited<ReturnType<Vault['prepare']>>): Promise<Accepted> => {
    const opened = await deps.openRequest(
      tx,
      {
        source: message.source,
        sourceId: known.request.messageId.toString('hex'),
        payloadHash: known.requestHash,
        right: parsed.right ?? message.right,
        jurisdiction: parsed.jurisdiction ?? message.jurisdiction,
        identifiers: parsed.identifiers,
        verification: parsed.verification,
        ...(parsed.proof === undefined ? {} : { proof: parsed.proof }),
        corrections: parsed.corrections,
        language: parsed.language,
      },
      prepared,
    );
    const answer = answerOf(opened, parsed.verification);
    await keepAnswer(tablesOf<IntakeTables>(tx), [known.message, known.request], answer);
    return { status: opened.created ? 202 : 200, answer };
  };

  /** Opens the request; undefined when another message opened it meanwhile. */
  const openOnce = async (message: IncomingMessage, parsed: ParsedBody, known: Known): Promise<Accepted | undefined> => {
    const prepared = await deps.vault.prepare(newId('request'));
    const seenAt = new Date(deps.clock.now());
    return deps.database.transaction(async (tx) => {
      const trx = tablesOf<IntakeTables>(tx);
      if (!(await takeMessage(trx, known.request, known.requestHash, seenAt))) return undefined;
      // Taken by a message about another request: so it is not the same message.
      if (known.request !== known.message && !(await takeMessage(trx, known.message, known.messageHash, seenAt))) throw reused();
      return open(tx, message, parsed, known, prepared);
    });
  };

  /** Answers another message about a request that was opened before, and gives its proof where it is another one. */
  const answerAgain = async (parsed: ParsedBody, known: Known, first: SeenMessage): Promise<Accepted> => {
    const again = repeat(first, known.requestHash);
    const requestId = parseId('request', again.answer.id);
    const vault = parsed.proof === undefined || requestId === undefined ? undefined : await unlockIfThere(deps.vault, requestId);
    await deps.database.transaction(async (tx) => {
      const trx = tablesOf<IntakeTables>(tx);
      if (!(await takeMessage(trx, known.message, known.messageHash, new Date(deps.clock.now())))) return;
      if (vault !== undefined && parsed.proof !== undefined) await deps.giveAnotherProof(tx, vault, parsed.proof);
      await keepAnswer(trx, [known.message], again.answer);
    });
    return again;
  };

  return async (message) => {
    const db = deps.database.read<IntakeTables>();
    const ownKey = { source: message.source, messageId: mac(`message:${message.source}:${message.id}`) };
    const before = await findMessage(db, ownKey);
    if (before !== undefined) return repeat(before, mac(`payload:${message.body.toString('base64')}`));
    const parsed = readBody(parseJson(message.body), { defaultCountry: deps.defaultCountry, verify: message.verify, right: message.right });
    const known = knownBy(message, parsed);
    const opened = parsed.requestId === undefined ? undefined : await findMessage(db, known.request);
    if (opened !== undefined) return answerAgain(parsed, known, opened);
    return (await openOnce(message, parsed, known)) ?? answerAgain(parsed, known, await mustFind(db, known.request));
  };
}

async function mustFind(db: Parameters<typeof findMessage>[0], key: MessageKey): Promise<SeenMessage> {
  const first = await findMessage(db, key);
  if (first === undefined) throw new Error('A message conflicted with one that cannot be read');
  return first;
}

/** A request's vault, or undefined once it was destroyed: then nothing waits for a proof any more. */
async function unlockIfThere(vault: Pick<Vault, 'unlock'>, requestId: RequestId): Promise<OpenVault | undefined> {
  try {
    return await vault.unlock(requestId);
  } catch (error) {
    if (isFailure(error) && error.code === 'KEY_DESTROYED') return undefined;
    throw error;
  }
}

const reused = (): Failure => new Failure('IDEMPOTENCY_KEY_REUSED', 'This id was sent before with another body; send a new id with a new request');

function repeat(seen: SeenMessage, payloadHash: Buffer): Accepted {
  if (!seen.payloadHash.equals(payloadHash)) throw reused();
  return { status: 200, answer: seen.answer as AcceptedAnswer };
}

const verificationDetail = {
  source: 'The source has verified who the person is.',
  email_code: 'A code was sent to the e-mail address given. Nothing further happens until it is given to the verification link.',
  sms_code: 'A code was sent to the phone number given. Nothing further happens until it is given to the verification link.',
  proof: 'The proof is looked at. Nothing further happens unless it is found to belong to the person.',
  operator: 'Nothing was given that a code could be sent to. An operator must decide, having seen who the person is; until then nothing further happens, and in the end the request expires.',
} as const;

function answerOf({ request }: Opened, method: ParsedBody['verification']): AcceptedAnswer {
  const { id, reference, status, due_at: dueAt, links } = requestBody(request);
  return {
    id,
    reference,
    status,
    due_at: dueAt,
    verification: { method, detail: verificationDetail[method] },
    links: { ...links, verification: `${links['self'] ?? ''}/verification` },
  };
}
