import { formatId, type RequestId } from '../../contract/ids.ts';
import { backoffMs } from '../../platform/backoff.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { isFailure } from '../../platform/failure.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import type { Random } from '../../platform/random.ts';
import type { Vault } from '../identity/index.ts';
import { auditAlertMessage, closedMessage, deadlineMessage, manualTaskMessage, verificationCodeMessage, type Sender } from './domain/templates.ts';
import { notificationSend } from './jobs.ts';
import type { Mailer } from './mailer.ts';
import type { ClosureFacts, ManualTaskFacts, MessageText, NotificationError } from './notification.ts';
import { codeNumber } from './notify.ts';
import { claimNotification, dueNotifications, freeClaims, markRetry, markSent, markSkipped, subjectWaits, type NotificationRow } from './store.ts';
import type { NotificationTables } from './tables.ts';

/** What sending needs; the facts come from the modules that own them. */
export interface SendNotificationDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly jobs: Pick<Jobs, 'send' | 'poke'>;
  readonly vault: Pick<Vault, 'unlock'>;
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
  /** Undefined when no mail server is configured. */
  readonly mailer: Mailer | undefined;
  readonly sender: Sender;
  /** The data protection officer's address, where one is configured. */
  readonly dpo: string | undefined;
  readonly codeMinutes: number;
  /** The n-th code of a request at the moment of sending; undefined when it is not to be sent any more. */
  readonly codeToSend: (tx: Tx, requestId: RequestId, number: number) => Promise<string | undefined>;
  /** A request's reference, for people. */
  readonly referenceOf: (requestId: RequestId) => Promise<string>;
  /** Fails with `CONFLICT` when the request is not closed. */
  readonly describeClosure: (requestId: RequestId) => Promise<ClosureFacts>;
  /** Undefined once the manual task is settled. */
  readonly describeManualTask: (manualTaskId: string) => Promise<ManualTaskFacts | undefined>;
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
}

/** Longer than the mailer's time-outs together, so that only a dead worker loses its claim. */
const leaseMs = 150_000;
/** For messages to the person: as long as mail servers keep trying (RFC 5321, section 4.5.4.1: 4 to 5 days) and a weekend. */
const giveUpMs = 7 * 86_400_000;
const sweepMax = 1000;
/** So that the job comes after the moment it waits for, and not in the same millisecond. */
const afterWakeMs = 50;

type Composed = { readonly to: string; readonly message: MessageText } | { readonly skip: NotificationError };

/** The request that a notification is about; only alerts about the installation have none. */
function requestOf(row: NotificationRow): RequestId {
  if (row.request_id === null) throw new Error(`A notification ${row.template} is about no request`);
  return row.request_id;
}

/** Makes the sender. */
export function createNotificationSender(deps: SendNotificationDeps): NotificationSender {
  const composeForOfficer = async (row: NotificationRow): Promise<Composed> => {
    if (deps.dpo === undefined) return { skip: 'NO_ADDRESS' };
    if (row.template === 'dpo_audit_alert') return { to: deps.dpo, message: auditAlertMessage(deps.sender, row.occasion) };
    const requestId = requestOf(row);
    const request = formatId('request', requestId);
    if (row.template === 'dpo_deadline') return { to: deps.dpo, message: deadlineMessage(await deps.referenceOf(requestId), request) };
    // A reminder's occasion has the day behind the id.
    const manualTaskId = row.occasion.split(':', 1)[0] ?? '';
    const facts = await deps.describeManualTask(manualTaskId);
    if (facts === undefined) return { skip: 'SUPERSEDED' };
    return { to: deps.dpo, message: manualTaskMessage(facts, { request, manualTask: formatId('manualTask', manualTaskId) }) };
  };

  const composeForSubject = async (row: NotificationRow): Promise<Composed> => {
    if (deps.clock.now() - row.created_at.getTime() > giveUpMs) return { skip: 'GAVE_UP' };
    const requestId = requestOf(row);
    const vault = await deps.vault.unlock(requestId);
    // Given, not found: what a system knows beside it may be somebody else's address.
    const email = vault.identifiers.find((each) => each.kind === 'email' && each.foundBy === 'given')?.value;
    if (email === undefined) return { skip: 'NO_ADDRESS' };
    if (row.template === 'closed') {
      return { to: email, message: closedMessage(deps.sender, await deps.describeClosure(requestId), { nonce: vault.nonce, email }) };
    }
    const reference = await deps.referenceOf(requestId);
    const code = await deps.database.transaction((tx) => deps.codeToSend(tx, requestId, codeNumber(row.occasion)));
    if (code === undefined) return { skip: 'SUPERSEDED' };
    return { to: email, message: verificationCodeMessage(deps.sender, reference, code, deps.codeMinutes) };
  };

  const compose = async (row: NotificationRow): Promise<Composed> => {
    if (deps.mailer === undefined) return { skip: 'MAIL_NOT_CONFIGURED' };
    try {
      return await (row.recipient === 'dpo' ? composeForOfficer(row) : composeForSubject(row));
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
    attempt: row.attempts,
  });

  const skip = async (row: NotificationRow, code: NotificationError): Promise<void> => {
    await deps.database.transaction(async (tx) => {
      if (await markSkipped(tablesOf<NotificationTables>(tx), row, code)) {
        await deps.record(tx, { ...entryOf(row, 'notification.skipped'), reason_code: code });
      }
    });
  };

  const retry = async (row: NotificationRow): Promise<void> => {
    const delayMs = backoffMs(row.attempts, deps.random.fraction());
    await deps.database.transaction(async (tx) => {
      if (await markRetry(tablesOf<NotificationTables>(tx), row, 'MAIL_FAILED', delayMs)) {
        await deps.jobs.send(tx, notificationSend, { notification_id: row.id }, { delayMs: delayMs + afterWakeMs });
      }
    });
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
      if (deps.mailer === undefined) throw new Error('A message was composed without a mailer');
      const result = await deps.mailer.send(composed.to, `<${row.id}@${deps.mailer.domain}>`, composed.message);
      switch (result) {
        case 'accepted':
          return deps.database.transaction(async (tx) => {
            if (await markSent(tablesOf<NotificationTables>(tx), row.id, new Date(deps.clock.now()))) {
              await deps.record(tx, entryOf(row, 'notification.sent'));
            }
          });
        case 'refused':
          // An officer's address that is refused is a mistake in the configuration, and is tried until somebody mends it.
          return row.recipient === 'subject' ? skip(row, 'MAIL_REFUSED') : retry(row);
        case 'failed':
          return retry(row);
      }
    },
    subjectWaits: (requestId) => subjectWaits(deps.database.read<NotificationTables>(), requestId),
  };
}
