import type { ColumnType } from 'kysely';
import type { RequestId } from '../../contract/ids.ts';
import type { NotificationTemplate, Recipient } from './notification.ts';

/** The notifications module's tables. */
export interface NotificationTables {
  notification: {
    id: string;
    request_id: RequestId | null;
    template: NotificationTemplate;
    recipient: Recipient;
    occasion: string;
    created_at: Date;
    sent_at: Date | null;
    attempts: ColumnType<number, number | undefined, number>;
    error_code: string | null;
    wake_at: Date | null;
  };
  notice_subject: {
    notification_id: string;
    sealed: Buffer;
  };
}
