import { uuidv7 } from 'uuidv7';
import type { Clock } from '../../platform/clock.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import { notificationSend } from './jobs.ts';
import type { NewNotification, OfficerHook, Recipient } from './notification.ts';
import { insertNotification } from './store.ts';
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

/** The occasion of the n-th code of a request. */
export const codeOccasion = (number: number): string => `code-${number}`;

/** The occasion of the n-th code that a request's package is handed out for. */
export const exportCodeOccasion = (number: number): string => `export-${codeOccasion(number)}`;

/** Whether a code's occasion is about a package. */
export const isOfExport = (occasion: string): boolean => occasion.startsWith('export-');

/** The number of the code that an occasion is about. */
export const codeNumber = (occasion: string): number => Number(occasion.replace(/^(?:export-)?code-/u, ''));
