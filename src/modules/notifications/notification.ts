import type { RequestId } from '../../contract/ids.ts';
import type { Confirmation, Outcome, Residue, Right, Verdict } from '../../contract/outcomes.ts';

/** What can be said. */
export type NotificationTemplate =
  | 'receipt'
  | 'verification_code'
  | 'verified'
  | 'extended'
  | 'refused'
  | 'ready'
  | 'closed'
  | 'appeal_decided'
  | 'recipient'
  | 'recipient_lifted'
  | 'dpo_manual_task'
  | 'dpo_deadline'
  | 'dpo_clock'
  | 'dpo_erasure'
  | 'dpo_contradicted'
  | 'dpo_audit_alert'
  | 'dpo_event_alert'
  | 'dpo_bus_alert'
  | 'dpo_recipient';
/** Where the data protection officer is reached beside e-mail: a signed webhook, a chat's incoming webhook. */
export type OfficerHook = 'dpo_webhook' | 'dpo_chat';
/** Somebody whom the person's data was disclosed to, by the code of the configuration. */
export type DisclosedRecipient = `recipient:${string}`;
/** The code of the recipient that something is said to; undefined for anybody else. */
export const recipientCode = (recipient: Recipient): string | undefined => (recipient.startsWith('recipient:') ? recipient.slice('recipient:'.length) : undefined);
/** Who it is said to: the person, the data protection officer, or a recipient of the person's data. */
export type Recipient = 'subject' | 'dpo' | OfficerHook | DisclosedRecipient;

/** Something to be said. */
export interface NewNotification {
  /** Null where it is about the whole installation. */
  readonly requestId: RequestId | null;
  readonly template: NotificationTemplate;
  /** `dpo` is every way in which the officer is reached. */
  readonly recipient: 'subject' | 'dpo' | DisclosedRecipient;
  /** One notification of a template for each: `code-1`, the time of the closure, the id of a manual task. */
  readonly occasion: string;
}

/** Why a notification ended without being sent, or was not sent yet. */
export type NotificationError =
  /** The person gave no address or number that was proven, or no data protection officer is configured. */
  | 'NO_ADDRESS'
  /** The only address is one that an erasure puts in the place of a person's: it is nobody's. */
  | 'MASKED_ADDRESS'
  /** The recipient is not in the configuration any more. */
  | 'NOT_DECLARED'
  /** The person has none of the names by which the recipient may be told of people. */
  | 'NOTHING_TO_NAME'
  | 'MAIL_NOT_CONFIGURED'
  | 'SMS_NOT_CONFIGURED'
  /** What it would say is no longer so: another code was sent, the task was settled, the request was opened again, the restriction was lifted. */
  | 'SUPERSEDED'
  /** The mail server refused the address for good. */
  | 'MAIL_REFUSED'
  /** The mail server could not be reached, or did not accept the message yet; it is tried again. */
  | 'MAIL_FAILED'
  /** The receiver of the webhook could not be reached, or did not accept the message yet; it is tried again. */
  | 'HOOK_FAILED'
  /** It was configured when this was written, and is not any more. */
  | 'HOOK_NOT_CONFIGURED'
  /** No message will reach the number: it is none, it is a land line, or its owner wants none. */
  | 'SMS_REFUSED'
  /** The sender of messages could not be reached, or did not accept the message yet; it is tried again. */
  | 'SMS_FAILED'
  /** Tried for a week. */
  | 'GAVE_UP'
  /** The person's data was destroyed before the message could be sent. */
  | 'KEY_DESTROYED';

/** Why a message ends unsent that nobody misses: what it says is not so any more, or nobody is left to say it of. */
export const nothingToTell: readonly NotificationError[] = ['SUPERSEDED', 'KEY_DESTROYED'];

/** What a person is told when their request is closed. */
export interface ClosureFacts {
  readonly reference: string;
  readonly right: Right;
  readonly verdict: Verdict;
  /** ISO 8601. */
  readonly closedAt: string;
  readonly tasks: readonly {
    /** The connection's name. */
    readonly system: string;
    readonly outcome: Outcome;
    readonly confirmation: Confirmation | undefined;
    readonly residue: readonly Residue[];
  }[];
  /** The reference of the erasure that had begun when a copy was asked for, and that has erased something; undefined where there was none. */
  readonly erasedUnder: string | undefined;
  /** The certificate's bytes, attached; undefined when none was issued. */
  readonly certificate: Buffer | undefined;
}

/** What a person is told of their request itself: codes and dates. */
export interface RequestFacts {
  readonly reference: string;
  readonly right: Right;
  /** The law's name, for people. */
  readonly law: string;
  /** ISO 8601; days are said in `timeZone`, the law's. */
  readonly receivedAt: string;
  readonly dueAt: string;
  readonly timeZone: string;
  /** Why it takes longer, is refused, or an appeal was denied. */
  readonly reasonCode: string | undefined;
  readonly decision: 'granted' | 'denied' | undefined;
  /** Whether the law gives an appeal to the controller. */
  readonly mayAppeal: boolean;
}

/** What of a request a notice tells. */
export type ToldOf = 'request' | 'extension' | 'refusal' | 'appeal';

/** Where the copy of a person's data can be fetched, and until when (ISO 8601). */
export interface ExportFacts {
  readonly url: string;
  readonly expiresAt: string;
}

/** What the data protection officer is told of something that waits for them: ids and codes. */
export interface ManualTaskFacts {
  readonly reference: string;
  readonly reasonCode: string;
  /** The connection's name, when the task is about one. */
  readonly system: string | undefined;
}

/** A message as it is handed to the mailer. */
export interface MessageText {
  readonly subject: string;
  readonly text: string;
  /** The same for who reads HTML: nothing in it is fetched. */
  readonly html?: string;
  readonly attachments?: readonly { readonly filename: string; readonly content: Buffer; readonly contentType: string }[];
}
