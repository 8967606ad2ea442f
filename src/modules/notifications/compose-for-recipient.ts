import type { Identifier } from '../../contract/identifiers.ts';
import type { RequestId } from '../../contract/ids.ts';
import { open } from '../../platform/crypto/envelope.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';
import type { Database } from '../../platform/db/database.ts';
import type { Clock } from '../../platform/clock.ts';
import type { OpenVault, Vault, VaultIdentifier } from '../identity/index.ts';
import { giveUpMs, type ComposedForSubject } from './compose-for-subject.ts';
import type { NoticeCatalogue } from './domain/notice-catalogue.ts';
import { isTold, namesFor, recipientLiftedMessage, recipientMessage } from './domain/recipient-notices.ts';
import type { Recipients } from './domain/recipients.ts';
import type { Sender } from './domain/templates.ts';
import type { Mailer } from './mailer.ts';
import { recipientCode, type MessageText, type RequestFacts, type ToldOf } from './notification.ts';
import { noticeSubjectContext } from './notify.ts';
import { findSubject, type NotificationRow } from './store.ts';
import type { NotificationTables } from './tables.ts';

/** What composing a message to a recipient needs. */
export interface ComposeForRecipientDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly vault: Pick<Vault, 'unlock'>;
  readonly systemKeys: Pick<SystemKeys, 'get'>;
  readonly mailer: Mailer | undefined;
  readonly sender: Sender;
  readonly notices: NoticeCatalogue;
  readonly recipients: Pick<Recipients, 'find'>;
  readonly describeRequest: (requestId: RequestId, about: ToldOf) => Promise<RequestFacts>;
  /** Of what is in the vault, what is the person's beyond doubt: nothing else is told to anybody. */
  readonly ofThePerson: (requestId: RequestId, vault: OpenVault) => Promise<readonly VaultIdentifier[]>;
  /** Whether a restriction still holds for any of these. */
  readonly isRestricted: (identifiers: readonly Identifier[]) => Promise<boolean>;
}

/** Makes the function that composes what is said to a recipient of a person's data. It fails with `KEY_DESTROYED`, as the vault does. */
export function createComposeForRecipient(deps: ComposeForRecipientDeps): (row: NotificationRow) => Promise<ComposedForSubject> {
  return async (row) => {
    const { mailer } = deps;
    if (deps.clock.now() - row.created_at.getTime() > giveUpMs) return { skip: 'GAVE_UP' };
    const recipient = deps.recipients.find(recipientCode(row.recipient) ?? '');
    if (recipient === undefined) return { skip: 'NOT_DECLARED' };
    if (mailer === undefined) return { skip: 'MAIL_NOT_CONFIGURED' };
    const writing = { sender: deps.sender, texts: deps.notices.textsFor(recipient.language) };
    const mail = (message: MessageText): ComposedForSubject => ({ hand: () => mailer.send(recipient.contact, `<${row.id}@${mailer.domain}>`, message), refused: 'MAIL_REFUSED', failed: 'MAIL_FAILED' });
    if (row.request_id === null) {
      const sealed = await findSubject(deps.database.read<NotificationTables>(), row.id);
      if (sealed === undefined) return { skip: 'SUPERSEDED' };
      const subject = JSON.parse(open(deps.systemKeys.get('mapping'), sealed, noticeSubjectContext(row.id)).toString('utf8')) as readonly Identifier[];
      const names = namesFor(recipient, subject);
      return names.length === 0 ? { skip: 'NOTHING_TO_NAME' } : mail(recipientLiftedMessage(writing, recipient, { names, liftedAt: row.created_at.toISOString() }));
    }
    const vault = await deps.vault.unlock(row.request_id);
    const about = await deps.describeRequest(row.request_id, 'request');
    const { right } = about;
    if (!isTold(right)) throw new Error(`A recipient is told of the right ${right}, of which there is nothing to tell`);
    const names = namesFor(recipient, await deps.ofThePerson(row.request_id, vault));
    if (names.length === 0) return { skip: 'NOTHING_TO_NAME' };
    if (right === 'restriction' && !(await deps.isRestricted(names))) return { skip: 'SUPERSEDED' };
    const corrections = right === 'rectification' ? await vault.readCorrections() : [];
    return mail(recipientMessage(writing, recipient, { right, about, names, corrections }));
  };
}
