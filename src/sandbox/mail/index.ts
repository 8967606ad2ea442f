import type { Socket } from 'node:net';
import { once } from 'node:events';
import Fastify from 'fastify';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';
import { readMessage, type MailMessage } from './message.ts';
import { renderInbox } from './page.ts';

export type { MailMessage } from './message.ts';

/** An SMTP server on 127.0.0.1 that keeps what it takes in memory and sends nothing anywhere. */
export interface MailInbox {
  /** `smtp://127.0.0.1:port`, without authentication and without TLS. */
  readonly smtpUrl: string;
  /** The HTTP view: `GET /` for people, `GET /messages` as JSON. */
  readonly url: string;
  readonly messages: readonly MailMessage[];
  /** The first message to an address that passes the test, now or when it comes; rejects when the inbox closes first. */
  readonly waitFor: (to: string, matches?: (message: MailMessage) => boolean) => Promise<MailMessage>;
  /** Answers the next `count` messages with SMTP 451 and does not keep them. */
  readonly rejectNext: (count: number) => void;
  /** Keeps the next `count` messages and drops the connection instead of confirming them. */
  readonly dropNext: (count: number) => void;
  readonly close: () => Promise<void>;
}

/** Big enough for every notification; a message over it is refused with 552. */
const SIZE_MAX = 10 * 1024 * 1024;

interface Waiter {
  readonly matches: (message: MailMessage) => boolean;
  readonly resolve: (message: MailMessage) => void;
  readonly reject: (reason: Error) => void;
}

async function readAll(stream: SMTPServerDataStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}

const refusal = (code: number, message: string): Error => Object.assign(new Error(message), { responseCode: code });

function createMailbox(): Pick<MailInbox, 'messages' | 'waitFor'> & { keep: (session: SMTPServerSession, raw: string) => void; end: () => void } {
  const messages: MailMessage[] = [];
  const waiters = new Set<Waiter>();
  return {
    messages,
    waitFor: async (to, matches = () => true) => {
      const isWanted = (message: MailMessage): boolean =>
        message.to.some((each) => each.toLowerCase() === to.toLowerCase()) && matches(message);
      const known = messages.find(isWanted);
      if (known !== undefined) return known;
      return new Promise((resolve, reject) => waiters.add({ matches: isWanted, resolve, reject }));
    },
    keep: (session, raw) => {
      const { mailFrom, rcptTo } = session.envelope;
      const from = mailFrom === false ? '' : mailFrom.address;
      const message = { id: messages.length + 1, receivedAt: Date.now(), from, to: rcptTo.map((each) => each.address), ...readMessage(raw), raw };
      messages.push(message);
      for (const waiter of [...waiters].filter((each) => each.matches(message))) {
        waiters.delete(waiter);
        waiter.resolve(message);
      }
    },
    end: () => {
      for (const waiter of waiters) waiter.reject(new Error('the inbox was closed before the message came'));
      waiters.clear();
    },
  };
}

/** Starts the inbox; `port` is for SMTP and `httpPort` for the view, any free port when absent. */
export async function startMailInbox(options: { port?: number; httpPort?: number } = {}): Promise<MailInbox> {
  const mailbox = createMailbox();
  const sockets = new Map<number, Socket>();
  let rejecting = 0;
  let dropping = 0;
  const take = async (stream: SMTPServerDataStream, session: SMTPServerSession): Promise<'confirm' | 'drop'> => {
    const raw = await readAll(stream);
    if (stream.sizeExceeded) throw refusal(552, 'Message exceeds fixed maximum message size');
    if (rejecting > 0) {
      rejecting -= 1;
      throw refusal(451, 'Requested action aborted: try again later');
    }
    mailbox.keep(session, raw);
    if (dropping === 0) return 'confirm';
    dropping -= 1;
    return 'drop';
  };
  const receive = async (stream: SMTPServerDataStream, session: SMTPServerSession, answer: (error?: Error) => void): Promise<void> => {
    let outcome: 'confirm' | 'drop';
    try {
      outcome = await take(stream, session);
    } catch (error) {
      answer(error as Error);
      return;
    }
    if (outcome === 'confirm') answer();
    else sockets.get(session.remotePort)?.destroy();
  };
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    size: SIZE_MAX,
    onData: (stream, session, callback) => void receive(stream, session, callback),
  });
  smtp.server.on('connection', (socket: Socket) => {
    const port = socket.remotePort ?? 0;
    sockets.set(port, socket);
    socket.once('close', () => sockets.delete(port));
  });
  // A client that goes away mid-message is an everyday event for an inbox that drops connections itself.
  smtp.on('error', () => undefined);
  smtp.listen(options.port ?? 0, '127.0.0.1');
  await once(smtp.server, 'listening');
  const bound = smtp.server.address();
  const smtpPort = typeof bound === 'object' && bound !== null ? bound.port : 0;

  const view = Fastify({ logger: false, forceCloseConnections: true });
  view.get('/messages', async () => mailbox.messages);
  view.get('/', async (_request, reply) =>
    reply
      .header('content-security-policy', "default-src 'none'")
      .type('text/html; charset=utf-8')
      .send(renderInbox(mailbox.messages)),
  );
  const url = await view.listen({ host: '127.0.0.1', port: options.httpPort ?? 0 });
  return {
    smtpUrl: `smtp://127.0.0.1:${smtpPort}`,
    url,
    messages: mailbox.messages,
    waitFor: mailbox.waitFor,
    rejectNext: (count) => {
      rejecting += count;
    },
    dropNext: (count) => {
      dropping += count;
    },
    close: async () => {
      mailbox.end();
      for (const socket of sockets.values()) socket.destroy();
      await new Promise<void>((resolve) => smtp.close(resolve));
      await view.close();
    },
  };
}
