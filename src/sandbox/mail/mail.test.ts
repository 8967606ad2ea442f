import { createTransport } from 'nodemailer';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startMailInbox, type MailInbox } from './index.ts';
import { readMessage } from './message.ts';

let inbox: MailInbox;
beforeEach(async () => {
  inbox = await startMailInbox();
});
afterEach(async () => inbox.close());

const send = async (subject: string, text: string, more: object = {}): Promise<unknown> =>
  createTransport(inbox.smtpUrl).sendMail({ from: 'privacy@shop.example', to: 'ada@example.com', subject, text, ...more });

test('keeps what was sent, decoded, and shows it as JSON', async () => {
  await send('Ihr Code für heute', 'Ihr Code ist 123456.\nÜber =40 Zeichen, damit umbrochen wird: äöü ×××××××××××××××××××××××××××××××');
  expect(inbox.messages).toMatchObject([{ to: ['ada@example.com'], from: 'privacy@shop.example', subject: 'Ihr Code für heute' }]);
  expect(inbox.messages[0]?.text.trim().split(/\r?\n/u)[0]).toBe('Ihr Code ist 123456.');
  expect(inbox.messages[0]?.text).toContain('äöü ×××');
  expect(await (await fetch(`${inbox.url}/messages`)).json()).toMatchObject([{ subject: 'Ihr Code für heute' }]);
});

test('reads the plain part of a message that has HTML too, in either transfer encoding', async () => {
  for (const textEncoding of ['base64', 'quoted-printable'] as const) {
    await send('s', 'plain é', { html: '<b>html</b>', textEncoding });
    expect(inbox.messages.at(-1)?.text.trim()).toBe('plain é');
  }
});

test('waits for a message that has not come yet, and for the one that matches', async () => {
  const second = inbox.waitFor('ADA@example.com', (message) => message.subject === 'second');
  await send('first', 'x');
  await send('second', 'y');
  expect((await second).text.trim()).toBe('y');
  expect((await inbox.waitFor('ada@example.com')).subject).toBe('first');
});

test('a wait for what never comes ends when the inbox closes', async () => {
  const other = await startMailInbox();
  const waiting = expect(other.waitFor('eve@example.com')).rejects.toThrow('closed');
  await other.close();
  await waiting;
});

test('shows mail as text and never as markup', async () => {
  await send('<script>alert(1)</script>', '<img src=x onerror=alert(1)> & more');
  const page = await (await fetch(inbox.url)).text();
  expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  expect(page).toContain('&lt;img src=x onerror=alert(1)&gt; &amp; more');
  expect(page).not.toMatch(/<script|<img/u);
});

describe('faults', () => {
  test('a rejected message answers 451 and is not kept; the next is', async () => {
    inbox.rejectNext(1);
    await expect(send('no', 'x')).rejects.toMatchObject({ responseCode: 451 });
    expect(inbox.messages).toEqual([]);
    await send('yes', 'x');
    expect(inbox.messages).toHaveLength(1);
  });

  test('a dropped message is kept although the sender sees a broken connection', async () => {
    inbox.dropNext(1);
    await expect(send('kept', 'x')).rejects.toThrow();
    expect(inbox.messages).toMatchObject([{ subject: 'kept' }]);
  });
});

test('reading never throws, whatever the message holds', () => {
  for (const source of ['', ':', 'Subject: =?x?Q?=FF?=\r\n\r\n', 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n', '\u0000\r\n\r\n=ZZ']) {
    expect(readMessage(source)).toEqual({ subject: expect.any(String), text: expect.any(String) });
  }
});
