import { formatId, type RequestId } from '../../contract/ids.ts';
import { backoffMs } from '../../platform/backoff.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { isFailure } from '../../platform/failure.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import type { Random } from '../../platform/random.ts';
import type { CodeToSend, Vault } from '../identity/index.ts';
import { createComposeForRecipient, type ComposeForRecipientDeps } from './compose-for-recipient.ts';
import { createComposeForSubject, type ComposedForSubject } from './compose-for-subject.ts';
import type { NoticeCatalogue } from './domain/notice-catalogue.ts';
import { erasureMessage } from './domain/person-notices.ts';
import { auditAlertMessage, busAlertMessage, clockMessage, contradictedMessage, deadlineMessage, eventAlertMessage, manualTaskMessage, recipientAlertMessage, type Sender } from './domain/templates.ts';
import { notificationSend } from './jobs.ts';
import type { Mailer, MailResult } from './mailer.ts';
import { nothingToTell, recipientCode, type ClosureFacts, type ExportFacts, type ManualTaskFacts, type MessageText, type NotificationError, type RequestFacts, type ToldOf } from './notification.ts';
import { claimNotification, dueNotifications, freeClaims, markRetry, markSent, markSkipped, subjectTold, subjectWaits, type NotificationRow } from './store.ts';
import type { OfficerHooks } from './officer-hooks.ts';
import type { NotificationTables } from './tables.ts';
import type { Texter } from './texter.ts';

/** What sending needs; the facts come from the modules that own them. */
export interface SendNotificationDeps extends Pick<ComposeForRecipientDeps, 'systemKeys' | 'recipients' | 'ofThePerson' | 'isRestricted'> {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly jobs: Pick<Jobs, 'send' | 'poke'>;
  readonly vault: Pick<Vault, 'unlock'>;
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
  /** Undefined when no mail server is configured. */
  readonly mailer: Mailer | undefined;
  /** Undefined when no sender of messages to telephones is configured. */
  readonly texter: Texter | undefined;
  readonly sender: Sender;
  readonly officerHooks: Pick<OfficerHooks, 'send'>;
  /** The data protection officer's address, where one is configured. */
  readonly dpo: string | undefined;
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
  /** A request's reference, for people. */
  readonly referenceOf: (requestId: RequestId) => Promise<string>;
  /** Fails with `CONFLICT` when the request is not closed. */
  readonly describeClosure: (requestId: RequestId) => Promise<ClosureFacts>;
  /**
   * Hears that the person cannot be told where their copy is, or a recipient what became of the data, in the transaction that says so. The request is null where a recipient was to be told that
   * a restriction has ended.
   */
  readonly onSkipped: (tx: Tx, skipped: SkippedNotice) => Promise<void>;
  /** Undefined once the manual task is settled. */
  readonly describeManualTask: (manualTaskId: string) => Promise<ManualTaskFacts | undefined>;
}

/** A notice that must not be missed, and was not sent. */
export interface SkippedNotice {
  readonly requestId: RequestId | null;
  readonly template: 'ready' | 'recipient' | 'recipient_lifted';
  /** The recipient's code; undefined where it was for the person. */
  readonly recipient: string | undefined;
  /** When it was to be said, ISO 8601. */
  readonly since: string;
  readonly code: NotificationError;
}

/** Sends what is due. */
export interface NotificationSender {
  /** Sends one, if it is due and nobody else is at it. Idempotent but for a message whose acceptance was not heard of. */
  readonly send: (notificationId: string) => Promise<void>;
  /** Starts the sending of everything that is due. */
  readonly sweep: () => Promise<void>;
  /** Sends again what a process that died was at. Only for a server that is alone on its database. */
  readonly recover: () => Promise<void>;
  /** Whether anything is still to be said to the person: the data key must outlive it. At most a week, then sending is given up. */
  readonly subjectWaits: (requestId: RequestId) => Promise<boolean>;
  /** When the person was first written to, in milliseconds since the epoch; undefined until then. */
  readonly acknowledgedAt: (requestId: RequestId) => Promise<number | undefined>;
}

/** Longer than the mailer's time-outs together, so that only a dead worker loses its claim. */
const leaseMs = 150_000;
const sweepMax = 1000;
/** So that the job comes after the moment it waits for, and not in the same millisecond. */
const afterWakeMs = 50;

interface ForOfficer {
  readonly message: MessageText;
}
type Composed = ForOfficer | { readonly skip: NotificationError };

/** The request that a notification is about; only alerts about the installation have none. */
function requestOf(row: NotificationRow): RequestId {
  if (row.request_id === null) throw new Error(`A notification ${row.template} is about no request`);
  return row.request_id;
}

/** Makes the sender. */
export function createNotificationSender(deps: SendNotificationDeps): NotificationSender {
  const composeForOfficer = async (row: NotificationRow): Promise<Composed> => {
    if (row.recipient === 'dpo' && deps.mailer === undefined) return { skip: 'MAIL_NOT_CONFIGURED' };
    if (row.recipient === 'dpo' && deps.dpo === undefined) return { skip: 'NO_ADDRESS' };
    if (row.template === 'dpo_audit_alert') return { message: auditAlertMessage(deps.sender, row.occasion) };
    if (row.template === 'dpo_event_alert') return { message: eventAlertMessage(deps.sender, row.occasion) };
    if (row.template === 'dpo_bus_alert') return { message: busAlertMessage(deps.sender, row.occasion) };
    if (row.template === 'dpo_recipient') return { message: recipientAlertMessage(deps.sender, row.occasion) };
    const requestId = requestOf(row);
    const request = formatId('request', requestId);
    if (row.template === 'dpo_clock') return { message: clockMessage(await deps.referenceOf(requestId), request, row.occasion) };
    if (row.template === 'dpo_erasure') {
      const facts = await deps.describeClosure(requestId);
      return { message: erasureMessage({ sender: deps.sender, texts: deps.notices.textsFor(undefined) }, facts, request) };
    }
    if (row.template === 'dpo_deadline') return { message: deadlineMessage(await deps.referenceOf(requestId), request) };
    if (row.template === 'dpo_contradicted') return { message: contradictedMessage(await deps.referenceOf(requestId), { request, task: formatId('task', row.occasion) }) };
    // A reminder's occasion has the day behind the id.
    const manualTaskId = row.occasion.split(':', 1)[0] ?? '';
    const facts = await deps.describeManualTask(manualTaskId);
    if (facts === undefined) return { skip: 'SUPERSEDED' };
    return { message: manualTaskMessage(facts, { request, manualTask: formatId('manualTask', manualTaskId) }) };
  };

  const composeForSubject = createComposeForSubject(deps);
  const composeForRecipient = createComposeForRecipient(deps);

  const compose = async (row: NotificationRow): Promise<Composed | ComposedForSubject> => {
    try {
      if (row.recipient === 'subject') return await composeForSubject(row, requestOf(row));
      if (recipientCode(row.recipient) !== undefined) return await composeForRecipient(row);
      return await composeForOfficer(row);
    } catch (error) {
      if (isFailure(error) && error.code === 'KEY_DESTROYED') return { skip: 'KEY_DESTROYED' };
      // The request was closed when this was written and is not any more; its next closure has a notification of its own.
      if (isFailure(error) && error.code === 'CONFLICT') return { skip: 'SUPERSEDED' };
      throw error;
    }
  };

  const entryOf = (row: NotificationRow, type: 'notification.sent' | 'notification.skipped'): AuditEntry => ({
    type,
    at: isoTime(deps.clock.now()),
    actor: { role: 'system' },
    ...(row.request_id === null ? {} : { request_id: formatId('request', row.request_id) }),
    template: row.template,
    ...(recipientCode(row.recipient) === undefined ? {} : { recipient: recipientCode(row.recipient) }),
    attempt: row.attempts,
  });

  const skip = async (row: NotificationRow, code: NotificationError): Promise<void> => {
    await deps.database.transaction(async (tx) => {
      if (await markSkipped(tablesOf<NotificationTables>(tx), row, code)) {
        await deps.record(tx, { ...entryOf(row, 'notification.skipped'), reason_code: code });
        const { template } = row;
        const isMissed = template === 'ready' || template === 'recipient' || template === 'recipient_lifted';
        if (isMissed && !nothingToTell.includes(code)) await deps.onSkipped(tx, { requestId: row.request_id, template, recipient: recipientCode(row.recipient), since: row.created_at.toISOString(), code });
      }
    });
  };

  const retry = async (row: NotificationRow, code: NotificationError): Promise<void> => {
    const delayMs = backoffMs(row.attempts, deps.random.fraction());
    await deps.database.transaction(async (tx) => {
      if (await markRetry(tablesOf<NotificationTables>(tx), row, code, delayMs)) {
        await deps.jobs.send(tx, notificationSend, { notification_id: row.id }, { delayMs: delayMs + afterWakeMs });
      }
    });
  };

  const tellOfficer = async (row: NotificationRow, { message }: ForOfficer): Promise<MailResult> => {
    if (row.recipient === 'dpo_webhook' || row.recipient === 'dpo_chat') return deps.officerHooks.send(row.recipient, row.id, row.template, message);
    if (deps.mailer === undefined || deps.dpo === undefined) throw new Error('A message was composed without a mailer');
    return deps.mailer.send(deps.dpo, `<${row.id}@${deps.mailer.domain}>`, message);
  };

  const sweep = async (): Promise<void> => {
    for (const id of await dueNotifications(deps.database.read<NotificationTables>(), sweepMax)) {
      await deps.jobs.poke(notificationSend, { notification_id: id });
    }
  };

  return {
    sweep,
    recover: async () => {
      await freeClaims(deps.database.read<NotificationTables>());
      await sweep();
    },
    send: async (notificationId) => {
      const row = await claimNotification(deps.database.read<NotificationTables>(), notificationId, leaseMs);
      if (row === undefined) return;
      const composed = await compose(row);
      if ('skip' in composed) return skip(row, composed.skip);
      switch (await ('hand' in composed ? composed.hand() : tellOfficer(row, composed))) {
        case 'accepted':
          return deps.database.transaction(async (tx) => {
            if (await markSent(tablesOf<NotificationTables>(tx), row.id, new Date(deps.clock.now()))) {
              await deps.record(tx, entryOf(row, 'notification.sent'));
            }
          });
        case 'refused':
          if ('hand' in composed) return skip(row, composed.refused);
          // An officer's address that is refused is a mistake in the configuration, and is tried until somebody mends it.
          return row.recipient === 'dpo' ? retry(row, 'MAIL_FAILED') : skip(row, 'HOOK_NOT_CONFIGURED');
        case 'failed':
          if ('hand' in composed) return retry(row, composed.failed);
          return retry(row, row.recipient === 'dpo' ? 'MAIL_FAILED' : 'HOOK_FAILED');
      }
    },
    subjectWaits: (requestId) => subjectWaits(deps.database.read<NotificationTables>(), requestId),
    acknowledgedAt: (requestId) => subjectTold(deps.database.read<NotificationTables>(), requestId),
  };
}
