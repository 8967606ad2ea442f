import type { RequestId } from '../../contract/ids.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { CodeToSend, OpenVault, Vault } from '../identity/index.ts';
import { closedMessage, closedText, verificationCodeMessage, verificationCodeText, type Sender } from './domain/templates.ts';
import type { Mailer, MailResult } from './mailer.ts';
import type { ClosureFacts, MessageText, NotificationError } from './notification.ts';
import { codeNumber } from './notify.ts';
import type { NotificationRow } from './store.ts';
import type { Texter } from './texter.ts';

/** What composing a message to the person needs; the facts come from the modules that own them. */
export interface ComposeForSubjectDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly vault: Pick<Vault, 'unlock'>;
  /** Undefined when no mail server is configured. */
  readonly mailer: Mailer | undefined;
  /** Undefined when no sender of messages to telephones is configured. */
  readonly texter: Texter | undefined;
  readonly sender: Sender;
  readonly codeMinutes: number;
  /** The n-th code of a request at the moment of sending; undefined when it is not to be sent any more. */
  readonly codeToSend: (tx: Tx, requestId: RequestId, number: number) => Promise<CodeToSend | undefined>;
  /** A request's reference, for people. */
  readonly referenceOf: (requestId: RequestId) => Promise<string>;
  /** Fails with `CONFLICT` when the request is not closed. */
  readonly describeClosure: (requestId: RequestId) => Promise<ClosureFacts>;
}

/** How a message is handed over, and how it is called when it is refused for good or not taken yet; or why there is none. */
export type ComposedForSubject =
  | { readonly hand: () => Promise<MailResult>; readonly refused: NotificationError; readonly failed: NotificationError }
  | { readonly skip: NotificationError };

/** As long as mail servers keep trying (RFC 5321, section 4.5.4.1: 4 to 5 days) and a weekend. */
const giveUpMs = 7 * 86_400_000;

/** What the person gave and is proven: what a system knows beside it, or was merely said, may lead to somebody else. */
const provenOf = (vault: OpenVault, kind: 'email' | 'phone'): string | undefined =>
  vault.identifiers.find((each) => each.kind === kind && each.foundBy === 'given' && each.confidence >= 1)?.value;

/**
 * Makes the function that composes what is said to the person: by e-mail, or to the telephone where that is what is proven.
 * It fails with `KEY_DESTROYED` and `CONFLICT`, as the vault and the closure do.
 */
export function createComposeForSubject(deps: ComposeForSubjectDeps): (row: NotificationRow, requestId: RequestId) => Promise<ComposedForSubject> {
  const byMail = (row: NotificationRow, to: string | undefined, message: (address: string) => MessageText): ComposedForSubject => {
    const { mailer } = deps;
    if (mailer === undefined) return { skip: 'MAIL_NOT_CONFIGURED' };
    if (to === undefined) return { skip: 'NO_ADDRESS' };
    return { hand: () => mailer.send(to, `<${row.id}@${mailer.domain}>`, message(to)), refused: 'MAIL_REFUSED', failed: 'MAIL_FAILED' };
  };
  const byText = (hand: (() => Promise<MailResult>) | undefined): ComposedForSubject =>
    hand === undefined ? { skip: 'SMS_NOT_CONFIGURED' } : { hand, refused: 'SMS_REFUSED', failed: 'SMS_FAILED' };

  const composeCode = async (row: NotificationRow, requestId: RequestId, vault: OpenVault): Promise<ComposedForSubject> => {
    const reference = await deps.referenceOf(requestId);
    const given = await deps.database.transaction((tx) => deps.codeToSend(tx, requestId, codeNumber(row.occasion)));
    if (given === undefined) return { skip: 'SUPERSEDED' };
    const { to: kind, code } = given;
    const to = provenOf(vault, kind);
    if (kind === 'email' && code !== undefined) return byMail(row, to, () => verificationCodeMessage(deps.sender, reference, code, deps.codeMinutes));
    if (to === undefined) return { skip: 'NO_ADDRESS' };
    const { sendText, codes } = deps.texter ?? {};
    if (code === undefined) return byText(codes && (() => codes.send(to)));
    return byText(sendText && (() => sendText(to, verificationCodeText(deps.sender, reference, code, deps.codeMinutes))));
  };

  return async (row, requestId) => {
    if (deps.clock.now() - row.created_at.getTime() > giveUpMs) return { skip: 'GAVE_UP' };
    const vault = await deps.vault.unlock(requestId);
    if (row.template !== 'closed') return composeCode(row, requestId, vault);
    const facts = await deps.describeClosure(requestId);
    const [email, phone] = [provenOf(vault, 'email'), provenOf(vault, 'phone')];
    const sendText = deps.texter?.sendText;
    if (email === undefined && phone !== undefined && sendText !== undefined) return byText(() => sendText(phone, closedText(deps.sender, facts)));
    return byMail(row, email, (address) => closedMessage(deps.sender, facts, { nonce: vault.nonce, email: address }));
  };
}
