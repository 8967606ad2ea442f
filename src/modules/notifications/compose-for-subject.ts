import type { RequestId } from '../../contract/ids.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import type { CodeToSend, OpenVault, Vault } from '../identity/index.ts';
import { isMaskedAddress } from './domain/masked-address.ts';
import type { NoticeCatalogue } from './domain/notice-catalogue.ts';
import { closedMessage, closedText, codeMessage, codeText, readyMessage, readyText, requestMessage, requestText, type RequestNotice, type Writing } from './domain/person-notices.ts';
import type { Sender } from './domain/templates.ts';
import type { Mailer, MailResult } from './mailer.ts';
import type { ClosureFacts, ExportFacts, MessageText, NotificationError, RequestFacts, ToldOf } from './notification.ts';
import { codeNumber, isOfExport } from './notify.ts';
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
  /** The same for the codes that a package is handed out for: they go where its link went. */
  readonly exportCodeToSend: (tx: Tx, requestId: RequestId, number: number) => Promise<string | undefined>;
  readonly notices: NoticeCatalogue;
  /** The language that the request named, if it did. */
  readonly languageOf: (requestId: RequestId) => Promise<string | undefined>;
  /** Fails with `CONFLICT` when what is to be told of is not there. */
  readonly describeRequest: (requestId: RequestId, about: ToldOf) => Promise<RequestFacts>;
  /** Where the package that an occasion names can be fetched; undefined when it cannot be any more. */
  readonly describeExport: (requestId: RequestId, occasion: string) => Promise<ExportFacts | undefined>;
  /** Fails with `CONFLICT` when the request is not closed. */
  readonly describeClosure: (requestId: RequestId) => Promise<ClosureFacts>;
}

/** How a message is handed over, and how it is called when it is refused for good or not taken yet; or why there is none. */
export type ComposedForSubject =
  | { readonly hand: () => Promise<MailResult>; readonly refused: NotificationError; readonly failed: NotificationError }
  | { readonly skip: NotificationError };

/** How long it is tried to say something: as long as mail servers keep trying (RFC 5321, section 4.5.4.1: 4 to 5 days) and a weekend. */
export const giveUpMs = 7 * 86_400_000;

/**
 * The address or number that the person gave and that is proven, or that of the account they were signed in to, sealed in the vault when the request came in. What a
 * system knows beside it, or was merely said, may lead to somebody else. One that an erasure put in the place of theirs only where there is no other, so that it can be refused by name.
 */
function provenOf(vault: OpenVault, kind: 'email' | 'phone'): string | undefined {
  const proven = vault.identifiers.filter((each) => each.kind === kind && (each.foundBy === 'account' || (each.foundBy === 'given' && each.confidence >= 1))).map((each) => each.value);
  return proven.find((each) => !isMaskedAddress(each)) ?? proven[0];
}

/** What of a request each of its notices tells. */
const toldBy: Readonly<Record<RequestNotice, ToldOf>> = { receipt: 'request', verified: 'request', extended: 'extension', refused: 'refusal', appeal_decided: 'appeal' };

const isRequestNotice = (template: string): template is RequestNotice => Object.hasOwn(toldBy, template);

/**
 * Makes the function that composes what is said to the person: by e-mail, or to the telephone where that is what is proven.
 * It fails with `KEY_DESTROYED` and `CONFLICT`, as the vault and the closure do.
 */
export function createComposeForSubject(deps: ComposeForSubjectDeps): (row: NotificationRow, requestId: RequestId) => Promise<ComposedForSubject> {
  const byMail = (row: NotificationRow, to: string | undefined, message: (address: string) => MessageText): ComposedForSubject => {
    const { mailer } = deps;
    if (mailer === undefined) return { skip: 'MAIL_NOT_CONFIGURED' };
    if (to === undefined) return { skip: 'NO_ADDRESS' };
    if (isMaskedAddress(to)) return { skip: 'MASKED_ADDRESS' };
    return { hand: () => mailer.send(to, `<${row.id}@${mailer.domain}>`, message(to)), refused: 'MAIL_REFUSED', failed: 'MAIL_FAILED' };
  };
  const byText = (hand: (() => Promise<MailResult>) | undefined): ComposedForSubject =>
    hand === undefined ? { skip: 'SMS_NOT_CONFIGURED' } : { hand, refused: 'SMS_REFUSED', failed: 'SMS_FAILED' };

  /** By e-mail where that is proven and there is a mail server, else to the telephone: a copy that nobody can fetch is none. */
  const byEither = (row: NotificationRow, vault: OpenVault, message: () => MessageText, text: () => string): ComposedForSubject => {
    const [email, phone] = [provenOf(vault, 'email'), provenOf(vault, 'phone')];
    const sendText = deps.texter?.sendText;
    const isMailed = deps.mailer !== undefined && email !== undefined && !isMaskedAddress(email);
    if (!isMailed && phone !== undefined && sendText !== undefined) return byText(() => sendText(phone, text()));
    return byMail(row, email, message);
  };

  const composeExportCode = async (row: NotificationRow, requestId: RequestId, vault: OpenVault, writing: Writing): Promise<ComposedForSubject> => {
    const { reference, right } = await deps.describeRequest(requestId, 'request');
    const code = await deps.database.transaction((tx) => deps.exportCodeToSend(tx, requestId, codeNumber(row.occasion)));
    if (code === undefined) return { skip: 'SUPERSEDED' };
    const facts = { reference, right, code, minutes: deps.codeMinutes };
    return byEither(row, vault, () => codeMessage(writing, 'export_code', facts), () => codeText(writing, facts));
  };

  const composeCode = async (row: NotificationRow, requestId: RequestId, vault: OpenVault, writing: Writing): Promise<ComposedForSubject> => {
    const { reference, right } = await deps.describeRequest(requestId, 'request');
    const given = await deps.database.transaction((tx) => deps.codeToSend(tx, requestId, codeNumber(row.occasion)));
    if (given === undefined) return { skip: 'SUPERSEDED' };
    const { to: kind, code } = given;
    const to = provenOf(vault, kind);
    if (kind === 'email' && code !== undefined) return byMail(row, to, () => codeMessage(writing, 'code', { reference, right, code, minutes: deps.codeMinutes }));
    if (to === undefined) return { skip: 'NO_ADDRESS' };
    const { sendText, codes } = deps.texter ?? {};
    if (code === undefined) return byText(codes && (() => codes.send(to)));
    return byText(sendText && (() => sendText(to, codeText(writing, { reference, right, code, minutes: deps.codeMinutes }))));
  };

  return async (row, requestId) => {
    if (deps.clock.now() - row.created_at.getTime() > giveUpMs) return { skip: 'GAVE_UP' };
    const vault = await deps.vault.unlock(requestId);
    const writing: Writing = { sender: deps.sender, texts: deps.notices.textsFor(await deps.languageOf(requestId)) };
    const { template } = row;
    const [email, phone] = [provenOf(vault, 'email'), provenOf(vault, 'phone')];
    const sendText = deps.texter?.sendText;
    if (template === 'verification_code') return isOfExport(row.occasion) ? composeExportCode(row, requestId, vault, writing) : composeCode(row, requestId, vault, writing);
    if (isRequestNotice(template)) {
      const about = await deps.describeRequest(requestId, toldBy[template]);
      // Who has just typed the code of a telephone knows that they are verified.
      if (template !== 'verified' && email === undefined && phone !== undefined && sendText !== undefined) return byText(() => sendText(phone, requestText(writing, template, about)));
      return byMail(row, email, () => requestMessage(writing, template, about));
    }
    if (template === 'ready') {
      const fetched = await deps.describeExport(requestId, row.occasion);
      if (fetched === undefined) return { skip: 'SUPERSEDED' };
      const { reference, right } = await deps.describeRequest(requestId, 'request');
      const facts = { ...fetched, reference, right };
      return byEither(row, vault, () => readyMessage(writing, facts), () => readyText(writing, facts));
    }
    const facts = await deps.describeClosure(requestId);
    if (email === undefined && phone !== undefined && sendText !== undefined) return byText(() => sendText(phone, closedText(writing, facts)));
    return byMail(row, email, (address) => closedMessage(writing, facts, { nonce: vault.nonce, email: address }));
  };
}
