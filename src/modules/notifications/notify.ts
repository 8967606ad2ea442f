import { uuidv7 } from 'uuidv7';
import type { Clock } from '../../platform/clock.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { RequestId } from '../../contract/ids.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { seal } from '../../platform/crypto/envelope.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import { notificationSend } from './jobs.ts';
import { nothingToTell, type NewNotification, type OfficerHook, type Recipient } from './notification.ts';
import { insertNotification, insertSubject, reviveNotifications } from './store.ts';
import type { NotificationTables } from './tables.ts';

/** What notifying needs. */
export interface NotifyDeps {
  readonly clock: Clock;
  readonly jobs: Pick<Jobs, 'send'>;
  /** Where the data protection officer is reached beside e-mail. */
  readonly officerHooks: readonly OfficerHook[];
}

/** Has something said, if and only if the transaction commits, and once for each occasion. */
export type Notify = (tx: Tx, notification: NewNotification) => Promise<void>;

/** Makes the use case. */
export function createNotify(deps: NotifyDeps): Notify {
  return async (tx, { requestId, template, recipient, occasion }) => {
    const recipients: readonly Recipient[] = recipient === 'dpo' ? [recipient, ...deps.officerHooks] : [recipient];
    for (const each of recipients) {
      const id = uuidv7();
      const row = { id, request_id: requestId, template, recipient: each, occasion, created_at: new Date(deps.clock.now()) };
      if (await insertNotification(tablesOf<NotificationTables>(tx), row)) await deps.jobs.send(tx, notificationSend, { notification_id: id });
    }
  };
}

/** Has said once more what could not be said of a request, now that a person has mended why. What was said, or is not so any more, is not. */
export type SayAgain = (tx: Tx, requestId: RequestId, template: 'ready' | 'recipient') => Promise<void>;

/** Makes the use case. */
export function createSayAgain(deps: Pick<NotifyDeps, 'clock' | 'jobs'>): SayAgain {
  return async (tx, requestId, template) => {
    const ids = await reviveNotifications(tablesOf<NotificationTables>(tx), requestId, template, nothingToTell, new Date(deps.clock.now()));
    for (const id of ids) await deps.jobs.send(tx, notificationSend, { notification_id: id });
  };
}

/**
 * Has a recipient told that a restriction of the person who has these identifiers has ended, if and only if the transaction commits. That belongs to no request, so whom it is
 * about is kept sealed under a system key until it is sent or given up.
 */
export type TellLifted = (tx: Tx, lifted: { readonly recipient: string; readonly identifiers: readonly Identifier[] }) => Promise<void>;

/** Makes the use case. */
export function createTellLifted(deps: Pick<NotifyDeps, 'clock' | 'jobs'> & { readonly systemKeys: Pick<SystemKeys, 'get'> }): TellLifted {
  return async (tx, { recipient, identifiers }) => {
    const trx = tablesOf<NotificationTables>(tx);
    const id = uuidv7();
    await insertNotification(trx, { id, request_id: null, template: 'recipient_lifted', recipient: `recipient:${recipient}`, occasion: id, created_at: new Date(deps.clock.now()) });
    const subject = identifiers.map(({ kind, value }) => ({ kind, value }));
    await insertSubject(trx, id, seal(deps.systemKeys.get('mapping'), Buffer.from(JSON.stringify(subject), 'utf8'), noticeSubjectContext(id)));
    await deps.jobs.send(tx, notificationSend, { notification_id: id });
  };
}

/** What the sealed subject of a notice is bound to. */
export const noticeSubjectContext = (notificationId: string): string => `notice_subject:${notificationId}`;

/** The occasion of the n-th code of a request. */
export const codeOccasion = (number: number): string => `code-${number}`;

/** The occasion of the n-th code that a request's package is handed out for. */
export const exportCodeOccasion = (number: number): string => `export-${codeOccasion(number)}`;

/** Whether a code's occasion is about a package. */
export const isOfExport = (occasion: string): boolean => occasion.startsWith('export-');

/** The number of the code that an occasion is about. */
export const codeNumber = (occasion: string): number => Number(occasion.replace(/^(?:export-)?code-/u, ''));
