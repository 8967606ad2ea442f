import type { RequestId } from '../../contract/ids.ts';
import type { Tx } from '../../platform/db/database.ts';

/** What requests have said to people; who says it and how is the notifications module's. */
export interface Notice {
  readonly requestId: RequestId;
  readonly template: 'receipt' | 'verified' | 'extended' | 'refused' | 'appeal_decided' | 'dpo_clock';
  readonly recipient: 'subject' | 'dpo';
  readonly occasion: string;
}

/** Has something said if and only if the transaction commits, and once for each occasion. */
export type Say = (tx: Tx, notice: Notice) => Promise<void>;
