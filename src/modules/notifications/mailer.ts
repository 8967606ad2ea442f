import { createTransport } from 'nodemailer';
import type { Log } from '../../platform/log.ts';
import type { Secret } from '../../platform/secret.ts';
import type { MessageText } from './notification.ts';

/** What the mail server did with a message: took it, refused its address for good, or neither yet. */
export type MailResult = 'accepted' | 'refused' | 'failed';

/** Hands messages to a mail server. */
export interface Mailer {
  /** `messageId` is the same for every try of one notification, so that a duplicate can be told by it. Never throws. */
  readonly send: (to: string, messageId: string, message: MessageText) => Promise<MailResult>;
  /** The domain that message ids end with. */
  readonly domain: string;
}

/** Long enough for a slow server's greeting; short enough that a worker is not held by a dead one. */
const connectTimeoutMs = 10_000;
const socketTimeoutMs = 30_000;

/**
 * Makes a mailer for an smtp:// or smtps:// URL. TLS is used when the server offers it (opportunistic, RFC 7435); smtps:// always uses it.
 * Only a 5xx to the recipient (RFC 5321, section 4.2.1) counts as refused: other 5xx are about us, and are mended by an operator.
 */
export function createMailer(options: { readonly smtpUrl: Secret; readonly from: string }, log: Log): Mailer {
  const transport = createTransport({
    url: options.smtpUrl.reveal(),
    opportunisticTLS: true,
    connectionTimeout: connectTimeoutMs,
    greetingTimeout: connectTimeoutMs,
    socketTimeout: socketTimeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const domain = /@([A-Za-z0-9.-]+)>?\s*$/u.exec(options.from)?.[1] ?? 'quittance.invalid';
  return {
    domain,
    send: async (to, messageId, message) => {
      try {
        await transport.sendMail({
          from: options.from,
          to: { name: '', address: to },
          subject: message.subject,
          text: message.text,
          ...(message.html === undefined ? {} : { html: message.html }),
          messageId,
          // RFC 3834: nobody's holiday notice should answer.
          headers: { 'Auto-Submitted': 'auto-generated' },
          attachments: (message.attachments ?? []).map((each) => ({ ...each })),
        });
        return 'accepted';
      } catch (error) {
        // The message of a mail server's answer may hold the address: only its class and code are logged.
        log.warn({ err: error }, 'mail was not accepted');
        const { command, responseCode } = error as { command?: unknown; responseCode?: unknown };
        return command === 'RCPT TO' && typeof responseCode === 'number' && responseCode >= 500 ? 'refused' : 'failed';
      }
    },
  };
}
