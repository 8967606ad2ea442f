import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import { formatId, type RequestId } from '../../contract/ids.ts';
import { documentSchema } from '../../platform/config/document.ts';
import { createLocalKeyProvider } from '../../platform/crypto/key-provider.ts';
import { loadSystemKeys } from '../../platform/crypto/system-keys.ts';
import type { Database } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { newId } from '../../platform/ids.ts';
import { createLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { Secret } from '../../platform/secret.ts';
import { startMailInbox, type MailInbox, type MailMessage } from '../../sandbox/mail/index.ts';
import { createVault, type NewIdentifier, type Vault } from '../identity/index.ts';
import { createRecipients } from './domain/recipients.ts';
import { createNoticeCatalogue } from './domain/notice-catalogue.ts';
import { createMailer } from './mailer.ts';
import type { ClosureFacts, ExportFacts, ManualTaskFacts, NewNotification, RequestFacts } from './notification.ts';
import { createNotify, createSayAgain, createTellLifted, type Notify } from './notify.ts';
import { createNotificationSender, type NotificationSender, type SendNotificationDeps } from './send-notification.ts';
import type { NotificationTables } from './tables.ts';

let now = Date.parse('2026-11-21T10:00:00Z');
const clock = { now: () => now };
let database: Database;
let vault: Vault;
let inbox: MailInbox;
let notify: Notify;
let sender: NotificationSender;
let deps: SendNotificationDeps;
const entries: AuditEntry[] = [];
const jobs: { data: Record<string, string>; delayMs: number }[] = [];
const logged: string[] = [];
let code: string | undefined = '04711815';
let manualTask: ManualTaskFacts | undefined;

const closure: ClosureFacts = {
  reference: 'Q-7K3M-9D2F',
  right: 'erasure',
  verdict: 'fulfilled_with_retention',
  closedAt: '2026-11-21T10:00:00.000Z',
  tasks: [
    { system: 'segment', outcome: 'erased', confirmation: 'verified_absent', residue: [] },
    { system: 'segment', outcome: 'erased', confirmation: 'verified_absent', residue: [] },
    { system: 'twilio', outcome: 'erased', confirmation: 'attested_by_vendor', residue: [] },
    { system: 'stripe', outcome: 'failed', confirmation: undefined, residue: [{ what: 'charges', why: 'legal_obligation', count: 2, legal_basis: 'GDPR Art. 17(3)(b)', until: '2036-01-01T00:00:00Z' }] },
  ],
  erasedUnder: undefined,
  certificate: Buffer.from('{"certificate":true}'),
};

const hold = { category: 'orders', purpose: 'delivery', legal_basis: 'contract', retention: '7 years', recipients: ['Parcel Example'] };
const recipientConfig = documentSchema.parse({
  version: 1,
  controller: { name: 'Shop', contact: 'privacy@shop.example' },
  connections: { shop: { connector: 'database', holds: { orders: hold } } },
  recipients: { parcel: { name: 'Parcel Example', contact: 'privacy@parcel.example', identifiers: ['email'], corrections: ['email'], reference: 'contract 4711' } },
});
let isRestricted = true;
const noticeConfig = documentSchema.parse({ version: 1, controller: { name: 'Shop', contact: 'privacy@shop.example' } }).notices;
let language: string | undefined;
let ready: ExportFacts | undefined;
const requestFacts: RequestFacts = {
  reference: 'Q-7K3M-9D2F',
  right: 'erasure',
  law: 'EU GDPR',
  receivedAt: '2026-11-21T10:00:00.000Z',
  dueAt: '2026-12-21T22:59:59.000Z',
  timeZone: 'Europe/Brussels',
  reasonCode: undefined,
  decision: undefined,
  mayAppeal: false,
};

const ada: NewIdentifier = { kind: 'email', value: 'ada@example.com', foundBy: 'given', confidence: 1 };

const reopened = async (): Promise<never> => {
  throw new Failure('CONFLICT', 'The request is not closed');
};

async function newRequest(identifiers: readonly NewIdentifier[]): Promise<RequestId> {
  const prepared = await vault.prepare(newId('request'));
  const id = prepared.requestId;
  await database.transaction(async (tx) => {
    await sql`INSERT INTO privacy_request (id, reference, source, source_id, payload_hash, request_right, law, status, vouched, moved_at, received_at, due_at, wake_at)
      VALUES (${id}, ${id}, 'shop', ${randomBytes(8)}, '', 'erasure', 'gdpr', 'verified', true, now(), now(), now(), now())`.execute(tx as never);
    await vault.create(tx, prepared, identifiers);
  });
  return id;
}

const hooked: string[] = [];
const skipped: (readonly string[])[] = [];
let hookResult: 'accepted' | 'failed' = 'accepted';

const say = async (notification: NewNotification): Promise<string> => {
  await database.transaction((tx) => notify(tx, notification));
  return jobs.at(-1)?.data['notification_id'] ?? '';
};
const closed = (requestId: RequestId): NewNotification => ({ requestId, template: 'closed', recipient: 'subject', occasion: 'closed' });
const row = async (id: string): Promise<NotificationTables['notification']> =>
  (await database.read<NotificationTables>().selectFrom('notification').selectAll().where('id', '=', id).executeTakeFirstOrThrow()) as never;
const makeDue = async (id: string): Promise<void> => void (await sql`UPDATE notification SET wake_at = now() WHERE id = ${id}`.execute(database.read()));
const mailsTo = (to: string): readonly MailMessage[] => inbox.messages.filter((each) => each.to.includes(to));
const messageIds = (mails: readonly MailMessage[]): (string | undefined)[] => mails.map((each) => /^Message-ID: (.*)$/imu.exec(each.raw)?.[1]?.trim());

describe.each(databaseKinds)('on the database of kind $kind', ({ kind }) => {
  const shared = useDatabase(kind, 'main');
  beforeAll(async () => {
    database = shared.open();
    inbox = await startMailInbox();
    const keyProvider = createLocalKeyProvider(randomBytes(32));
    const systemKeys = await loadSystemKeys(database, keyProvider);
    vault = createVault({ database, keyProvider, systemKeys, clock });
    const queue = {
      send: async (_tx: unknown, _kind: unknown, data: Record<string, string>, options?: { readonly delayMs?: number }) => void jobs.push({ data, delayMs: options?.delayMs ?? 0 }),
      poke: async (_kind: unknown, data: Record<string, string>) => void jobs.push({ data, delayMs: -1 }),
    };
    notify = createNotify({ clock, jobs: queue, officerHooks: [] });
    deps = {
      database,
      clock,
      random: systemRandom,
      jobs: queue,
      vault,
      record: async (_tx, entry) => void entries.push(entry),
      mailer: createMailer({ smtpUrl: new Secret(inbox.smtpUrl), from: 'Shop privacy <privacy@shop.example>' }, createLog('trace', { write: (line) => void logged.push(line) })),
      sender: { name: 'Shop', contact: 'privacy@shop.example' },
      dpo: 'dpo@shop.example',
      codeMinutes: 30,
      texter: undefined,
      officerHooks: { send: async (hook, id, template) => ((hooked.push(`${hook} ${template} ${id}`), hookResult)) },
      codeToSend: async () => (code === undefined ? undefined : { to: 'email', code }),
      exportCodeToSend: async () => (code === undefined ? undefined : `9${code}`),
      onSkipped: async (_tx, each) => void skipped.push([each.requestId ?? 'none', each.template, each.code, ...(each.recipient === undefined ? [] : [each.recipient])]),
      systemKeys,
      recipients: createRecipients(recipientConfig),
      ofThePerson: async (_id, opened) => opened.identifiers.filter((each) => each.confidence >= 1),
      isRestricted: async () => isRestricted,
      referenceOf: async () => 'Q-7K3M-9D2F',
      notices: createNoticeCatalogue(noticeConfig),
      languageOf: async () => language,
      describeRequest: async (_id, about) => ({ ...requestFacts, ...(about === 'refusal' ? { reasonCode: 'process_excessive' } : about === 'extension' ? { reasonCode: 'complexity_of_process' } : {}), ...(about === 'appeal' ? { decision: 'denied' as const, reasonCode: 'legally_exempted' } : {}) }),
      describeExport: async () => ready,
      describeClosure: async () => closure,
      describeManualTask: async () => manualTask,
    };
    sender = createNotificationSender(deps);
  });
  beforeEach(() => {
    entries.length = 0;
    code = '04711815';
    language = undefined;
    ready = undefined;
    manualTask = { reference: 'Q-7K3M-9D2F', reasonCode: 'STILL_PRESENT', system: 'stripe' };
  });
  afterAll(async () => {
    await inbox.close();
  });

  describe('a notification', () => {
    it('with a code reaches the address that was given, once, and is recorded', async () => {
      const requestId = await newRequest([{ ...ada, value: 'code@example.com' }]);
      const notification = { requestId, template: 'verification_code', recipient: 'subject', occasion: 'code-1' } as const;
      const id = await say(notification);
      const before = jobs.length;
      await database.transaction((tx) => notify(tx, notification));
      expect(jobs).toHaveLength(before);
      await Promise.all([sender.send(id), sender.send(id)]);
      await sender.send(id);
      const mails = mailsTo('code@example.com');
      expect(mails).toHaveLength(1);
      expect(mails[0]?.text).toContain('04711815');
      expect(mails[0]?.text).toContain('Q-7K3M-9D2F');
      expect(mails[0]?.raw).toMatch(/^Auto-Submitted: auto-generated/imu);
      expect(messageIds(mails)).toEqual([`<${id}@shop.example>`]);
      expect(await row(id)).toMatchObject({ sent_at: new Date(now), wake_at: null, error_code: null, attempts: 1 });
      expect(entries).toMatchObject([{ type: 'notification.sent', request_id: formatId('request', requestId), template: 'verification_code' }]);
    });

    it('of a transaction that fails does not exist', async () => {
      const requestId = await newRequest([ada]);
      await expect(
        database.transaction(async (tx) => {
          await notify(tx, closed(requestId));
          throw new Error('rolled back');
        }),
      ).rejects.toThrow('rolled back');
      expect(await sender.subjectWaits(requestId)).toBe(false);
      await say(closed(requestId));
      expect(await sender.subjectWaits(requestId)).toBe(true);
    });

    it('of the end says what was seen in each system and nothing better, with the certificate and the disclosure', async () => {
      const requestId = await newRequest([{ ...ada, value: 'closed@example.com' }]);
      await sender.send(await say(closed(requestId)));
      const [mail] = mailsTo('closed@example.com');
      const { nonce } = await vault.unlock(requestId);
      const text = mail?.text.replaceAll('\r\n', '\n') ?? '';
      expect(text.match(/segment: erased, and seen to be gone/gu)).toHaveLength(1);
      expect(text).toContain('twilio: erased, by the word of the system, which cannot be read back');
      expect(text).toContain('stripe: not done: it failed\n');
      expect(text).toContain('stays: 2 charges (legal obligation, GDPR Art. 17(3)(b); until 2036-01-01)');
      expect(text).toContain(nonce.toString('hex'));
      expect(mail?.raw).toContain('certificate-Q-7K3M-9D2F.json');
      expect(mail?.raw).toContain(closure.certificate?.toString('base64'));
      expect(await sender.subjectWaits(requestId)).toBe(false);
    });

    it('to the officer holds ids and codes, and nothing of the person; a settled task is not spoken of', async () => {
      const requestId = await newRequest([{ ...ada, value: 'marked.person@example.com' }]);
      const manualTaskId = newId('manualTask');
      const notification = { requestId, template: 'dpo_manual_task', recipient: 'dpo', occasion: manualTaskId } as const;
      await sender.send(await say(notification));
      const [mail] = mailsTo('dpo@shop.example');
      expect(mail?.text).toContain(formatId('manualTask', manualTaskId));
      expect(mail?.subject).toContain('STILL_PRESENT');
      expect(mail?.raw).not.toContain('marked');
      await sender.send(await say({ requestId, template: 'dpo_deadline', recipient: 'dpo', occasion: 'latest_safe_start' }));
      const deadline = mailsTo('dpo@shop.example')[1];
      expect(deadline?.subject).toBe('Privacy request Q-7K3M-9D2F may miss its deadline');
      expect(deadline?.text).toContain(formatId('request', requestId));
      manualTask = undefined;
      const settled = await say({ ...notification, occasion: newId('manualTask') });
      await sender.send(settled);
      expect(mailsTo('dpo@shop.example')).toHaveLength(2);
      expect(await row(settled)).toMatchObject({ sent_at: null, wake_at: null, error_code: 'SUPERSEDED' });
    });
  });

  describe('a notice to the person', () => {
    it('is text and HTML in one message, in the language of the request', async () => {
      language = 'de';
      const requestId = await newRequest([{ ...ada, value: 'sprache@example.com' }]);
      await sender.send(await say({ requestId, template: 'receipt', recipient: 'subject', occasion: 'receipt' }));
      const [mail] = mailsTo('sprache@example.com');
      expect(mail?.raw).toMatch(/^Content-Type: multipart\/alternative/imu);
      expect(mail?.raw).toMatch(/^Content-Type: text\/html/imu);
      expect(mail?.subject).toBe('Shop: Ihr Datenschutzantrag Q-7K3M-9D2F ist eingegangen');
      expect(mail?.text).toContain('bis zum 21. Dezember 2026 (EU GDPR)');
      expect(await sender.acknowledgedAt(requestId)).toBe(now);
    });

    it('goes out for each step of a request, each with its own facts, and to nobody else', async () => {
      const requestId = await newRequest([{ ...ada, value: 'steps@example.com' }]);
      expect(await sender.acknowledgedAt(requestId)).toBeUndefined();
      for (const template of ['verified', 'extended', 'refused', 'appeal_decided'] as const) await sender.send(await say({ requestId, template, recipient: 'subject', occasion: template }));
      expect(mailsTo('steps@example.com').map((mail) => mail.text.replaceAll('\r\n', '\n').split('\n\n', 1)[0]?.replaceAll('\n', ' '))).toEqual([
        expect.stringContaining('work on your request now'),
        expect.stringContaining('it is complex'),
        expect.stringContaining('because it is excessive'),
        expect.stringContaining('stay with our decision, because a law obliges or allows us'),
      ]);
    });

    it('goes to the telephone of who has no proven address, as short as a message is, and only there', async () => {
      const texts: string[] = [];
      const texter = { sendText: async (to: string, text: string) => (texts.push(`${to} ${text}`), 'accepted' as const), codes: undefined };
      const requestId = await newRequest([{ kind: 'phone', value: '+12025550143', foundBy: 'given', confidence: 1 }, { ...ada, value: 'unproven@example.com', confidence: 0.5 }]);
      const id = await say({ requestId, template: 'refused', recipient: 'subject', occasion: 'refused' });
      await createNotificationSender({ ...deps, texter }).send(id);
      expect(texts).toEqual(['+12025550143 Shop: we do not carry out your privacy request Q-7K3M-9D2F. privacy@shop.example']);
      expect(mailsTo('unproven@example.com')).toEqual([]);
      expect(await row(id)).toMatchObject({ sent_at: new Date(now), error_code: null });
    });

    it('that the data is ready has the link and its end, and is not sent once it cannot be fetched any more', async () => {
      const requestId = await newRequest([{ ...ada, value: 'ready@example.com' }]);
      ready = { url: 'https://privacy.shop.example/v1/exports/token', expiresAt: '2026-12-21T10:00:00.000Z' };
      await sender.send(await say({ requestId, template: 'ready', recipient: 'subject', occasion: 'export-1' }));
      const [mail] = mailsTo('ready@example.com');
      expect(mail?.text).toContain('https://privacy.shop.example/v1/exports/token');
      expect(mail?.text).toContain('December 21, 2026');
      ready = undefined;
      const revoked = await say({ requestId, template: 'ready', recipient: 'subject', occasion: 'export-2' });
      await sender.send(revoked);
      expect(await row(revoked)).toMatchObject({ error_code: 'SUPERSEDED', sent_at: null });
    });

    it('that the data is ready goes to the telephone, and its code too, where no e-mail address is proven or no mail can be sent', async () => {
      const texts: string[] = [];
      const texter = { sendText: async (to: string, text: string) => (texts.push(`${to} ${text}`), 'accepted' as const), codes: undefined };
      const phone: NewIdentifier = { kind: 'phone', value: '+12025550144', foundBy: 'given', confidence: 1 };
      ready = { url: 'https://privacy.shop.example/v1/exports/token', expiresAt: '2026-12-21T10:00:00.000Z' };
      for (const [identifiers, mailer] of [[[phone, { ...ada, value: 'unproven@example.com', confidence: 0.5 }], deps.mailer], [[phone, { ...ada, value: 'no-server@example.com' }], undefined], [[phone, { ...ada, value: 'deleted-a1b2c3d4@example.com' }], deps.mailer]] as const) {
        texts.length = 0;
        const requestId = await newRequest(identifiers);
        const bySms = createNotificationSender({ ...deps, texter, mailer });
        await bySms.send(await say({ requestId, template: 'ready', recipient: 'subject', occasion: 'closed' }));
        await bySms.send(await say({ requestId, template: 'verification_code', recipient: 'subject', occasion: 'export-code-1' }));
        expect(texts).toEqual([expect.stringMatching(/^\+12025550144 [^]*December 21, 2026[^]*https:\/\/privacy\.shop\.example\/v1\/exports\/token$/u), expect.stringContaining('904711815')]);
      }
      const both = await newRequest([phone, { ...ada, value: 'both@example.com' }]);
      await createNotificationSender({ ...deps, texter }).send(await say({ requestId: both, template: 'ready', recipient: 'subject', occasion: 'closed' }));
      expect([texts.length, mailsTo('both@example.com').length, mailsTo('unproven@example.com').length]).toEqual([2, 1, 0]);
    });

    it('that the data is ready is missed by an operator where it reaches nobody, and not where there is nothing to fetch', async () => {
      skipped.length = 0;
      ready = { url: 'https://privacy.shop.example/v1/exports/token', expiresAt: '2026-12-21T10:00:00.000Z' };
      const requestId = await newRequest([{ kind: 'phone', value: '+12025550145', foundBy: 'given', confidence: 1 }]);
      await sender.send(await say({ requestId, template: 'ready', recipient: 'subject', occasion: 'closed' }));
      expect(skipped).toEqual([[requestId, 'ready', 'NO_ADDRESS']]);
      await sender.send(await say(closed(requestId)));
      ready = undefined;
      await sender.send(await say({ requestId, template: 'ready', recipient: 'subject', occasion: 'closed-2' }));
      expect(skipped).toHaveLength(1);
      expect(entries.map((entry) => entry.reason_code)).toEqual(['NO_ADDRESS', 'NO_ADDRESS', 'SUPERSEDED']);
    });

    it('goes to the address of the account that was sealed before the row that held it was anonymised, also when the process died between the two', async () => {
      const account: NewIdentifier = { ...ada, value: 'signed-in@example.com', foundBy: 'account' };
      const requestId = await newRequest([{ kind: 'user_id', value: 'a1b2c3d4', foundBy: 'given', confidence: 1 }, account]);
      const id = await say(closed(requestId));
      const dying = createNotificationSender({ ...deps, describeClosure: async () => Promise.reject(new Error('killed')) });
      await expect(dying.send(id)).rejects.toThrow('killed');
      // Meanwhile the row reads otherwise, and a look-up after the restart finds what it reads now.
      const masked: NewIdentifier = { ...ada, value: 'deleted-a1b2c3d4@example.com', foundBy: 'account' };
      const opened = await vault.unlock(requestId);
      await database.transaction((tx) => vault.add(tx, opened, [masked, { ...masked, value: 'deleted-2@example.com', foundBy: 'connection:app' }]));
      await makeDue(id);
      await sender.send(id);
      expect(mailsTo('signed-in@example.com')).toHaveLength(1);
      expect(mailsTo('deleted-a1b2c3d4@example.com')).toEqual([]);
      expect(mailsTo('deleted-2@example.com')).toEqual([]);
    });
  });

  describe('the officer', () => {
    it('is told of every erasure that is closed, and of each legal date, with nothing of the person', async () => {
      const requestId = await newRequest([{ ...ada, value: 'marked.erasure@example.com' }]);
      const first = mailsTo('dpo@shop.example').length;
      await sender.send(await say({ requestId, template: 'dpo_erasure', recipient: 'dpo', occasion: 'closed' }));
      await sender.send(await say({ requestId, template: 'dpo_clock', recipient: 'dpo', occasion: 'deadline_passed:2026-12-21T22:59:59.000Z' }));
      const [erasure, date] = mailsTo('dpo@shop.example').slice(first);
      expect(erasure?.text).toContain('segment: erased, and seen to be gone');
      expect(erasure?.text).toContain(formatId('request', requestId));
      expect(date?.subject).toBe('Privacy request Q-7K3M-9D2F: deadline passed');
      expect(date?.text).toContain('2026-12-21T22:59:59.000Z');
      for (const mail of [erasure, date]) expect(mail?.raw).not.toContain('marked');
    });
  });

  describe('a notification to a recipient of the data', () => {
    const told = (requestId: RequestId): NewNotification => ({ requestId, template: 'recipient', recipient: 'recipient:parcel', occasion: 'erasure' });
    const phone: NewIdentifier = { kind: 'phone', value: '+12025550143', foundBy: 'given', confidence: 1 };
    const toParcel = (): readonly MailMessage[] => mailsTo('privacy@parcel.example');

    it('names the person by what its declaration says and by nothing else, says what happened, and is recorded by its code', async () => {
      const doubted: NewIdentifier = { kind: 'email', value: 'somebody-else@example.com', foundBy: 'connection:shop', confidence: 0.5 };
      const before = toParcel().length;
      await sender.send(await say(told(await newRequest([ada, phone, doubted]))));
      const [mail] = toParcel().slice(before);
      expect(mail?.text).toContain('email: ada@example.com');
      expect(mail?.text).toContain('we have erased it');
      expect(mail?.text).toContain('contract 4711');
      expect(mail?.text).not.toContain(phone.value);
      expect(mail?.text).not.toContain(doubted.value);
      expect(entries).toMatchObject([{ type: 'notification.sent', template: 'recipient', recipient: 'parcel' }]);
    });

    it('keeps the person known until it is sent, and does not count as an acknowledgement to them', async () => {
      const requestId = await newRequest([ada]);
      const id = await say(told(requestId));
      expect(await sender.subjectWaits(requestId)).toBe(true);
      await sender.send(id);
      expect(await sender.subjectWaits(requestId)).toBe(false);
      expect(await sender.acknowledgedAt(requestId)).toBeUndefined();
    });

    it('that nobody could be named in, or that is refused, or of whom the configuration knows nothing any more, is given to a person; and goes out when that is mended', async () => {
      skipped.length = 0;
      const [nameless, refused, gone] = [await newRequest([phone]), await newRequest([ada]), await newRequest([ada])];
      await sender.send(await say(told(nameless)));
      const id = await say(told(refused));
      await createNotificationSender({ ...deps, mailer: { domain: 'shop.example', send: async () => 'refused' } }).send(id);
      await createNotificationSender({ ...deps, recipients: { find: () => undefined } }).send(await say(told(gone)));
      expect(skipped).toEqual([[nameless, 'recipient', 'NOTHING_TO_NAME', 'parcel'], [refused, 'recipient', 'MAIL_REFUSED', 'parcel'], [gone, 'recipient', 'NOT_DECLARED', 'parcel']]);
      const before = toParcel().length;
      now += 30 * 86_400_000;
      const sayAgain = createSayAgain({ clock, jobs: deps.jobs });
      await database.transaction((tx) => sayAgain(tx, refused, 'recipient'));
      expect(jobs.at(-1)?.data).toEqual({ notification_id: id });
      await sender.send(id);
      expect(toParcel()).toHaveLength(before + 1);
      const after = jobs.length;
      await database.transaction((tx) => sayAgain(tx, refused, 'recipient'));
      expect(jobs).toHaveLength(after);
      now -= 30 * 86_400_000;
    });

    it('of a restriction that was lifted before it could be sent is not sent, and nobody misses it', async () => {
      skipped.length = 0;
      const restricted = createNotificationSender({ ...deps, describeRequest: async () => ({ ...requestFacts, right: 'restriction' }) });
      const [kept, lifted] = [await say(told(await newRequest([ada]))), await say(told(await newRequest([ada])))];
      await restricted.send(kept);
      isRestricted = false;
      await restricted.send(lifted);
      isRestricted = true;
      expect((await row(kept)).sent_at).not.toBeNull();
      expect(await row(lifted)).toMatchObject({ sent_at: null, wake_at: null, error_code: 'SUPERSEDED' });
      expect(skipped).toEqual([]);
    });

    it('that a restriction has ended keeps the person sealed until it is sent or given up, and no longer', async () => {
      const tellLifted = createTellLifted({ clock, jobs: deps.jobs, systemKeys: deps.systemKeys });
      const stored = async (): Promise<string> => JSON.stringify(await database.read<NotificationTables>().selectFrom('notice_subject').selectAll().execute());
      const lift = async (): Promise<string> => {
        await database.transaction((tx) => tellLifted(tx, { recipient: 'parcel', identifiers: [ada] }));
        return jobs.at(-1)?.data['notification_id'] ?? '';
      };
      const [sent, given] = [await lift(), await lift()];
      expect(JSON.parse(await stored())).toHaveLength(2);
      expect(await stored()).not.toContain('ada');
      await sender.send(sent);
      expect(toParcel().at(-1)?.text).toContain('email: ada@example.com');
      skipped.length = 0;
      now += 8 * 86_400_000;
      await sender.send(given);
      now -= 8 * 86_400_000;
      expect(skipped).toEqual([['none', 'recipient_lifted', 'GAVE_UP', 'parcel']]);
      expect(await stored()).toBe('[]');
    });
  });

  describe('a notification that cannot be sent', () => {
    it('for the officer goes every way that is configured, each once, and one that is down keeps back no other', async () => {
      const requestId = await newRequest([ada]);
      const { jobs: queue } = deps;
      hooked.length = 0;
      const first = jobs.length;
      const alert = { requestId, template: 'dpo_deadline', recipient: 'dpo', occasion: 'latest_safe_start' } as const;
      const notifyAll = createNotify({ clock, jobs: queue, officerHooks: ['dpo_webhook', 'dpo_chat'] });
      for (let twice = 0; twice < 2; twice += 1) await database.transaction((tx) => notifyAll(tx, alert));
      const ids = jobs.slice(first).map((job) => job.data['notification_id'] ?? '');
      expect(ids).toHaveLength(3);
      hookResult = 'failed';
      for (const id of ids) await sender.send(id);
      expect(mailsTo('dpo@shop.example').filter((mail) => mail.text.includes('The latest safe start') && mail.text.includes(formatId('request', requestId)))).toHaveLength(1);
      expect((await Promise.all(ids.map(row))).map((each) => [each.recipient, each.error_code, each.sent_at !== null])).toEqual([
        ['dpo', null, true],
        ['dpo_webhook', 'HOOK_FAILED', false],
        ['dpo_chat', 'HOOK_FAILED', false],
      ]);
      hookResult = 'accepted';
      for (const id of ids.slice(1)) {
        await makeDue(id);
        await sender.send(id);
      }
      // The same id at each try: by it the receiver knows a repetition.
      expect(hooked).toEqual([`dpo_webhook dpo_deadline ${ids[1]}`, `dpo_chat dpo_deadline ${ids[2]}`, `dpo_webhook dpo_deadline ${ids[1]}`, `dpo_chat dpo_deadline ${ids[2]}`]);
      expect((await Promise.all(ids.map(row))).every((each) => each.sent_at !== null)).toBe(true);
    });

    it('because the server is busy is tried again, and then sent, under one Message-ID', async () => {
      const id = await say(closed(await newRequest([{ ...ada, value: 'busy@example.com' }])));
      inbox.rejectNext(1);
      await sender.send(id);
      expect(mailsTo('busy@example.com')).toEqual([]);
      const waiting = await row(id);
      expect(waiting).toMatchObject({ sent_at: null, error_code: 'MAIL_FAILED', attempts: 1 });
      expect(waiting.wake_at).not.toBeNull();
      expect(jobs.at(-1)).toMatchObject({ data: { notification_id: id } });
      expect(jobs.at(-1)?.delayMs).toBeGreaterThan(0);
      expect(entries).toEqual([]);
      await makeDue(id);
      await sender.send(id);
      expect(messageIds(mailsTo('busy@example.com'))).toEqual([`<${id}@shop.example>`]);
      expect(await row(id)).toMatchObject({ sent_at: new Date(now), error_code: null });
    });

    it('because the answer was lost is sent again, and both carry the same Message-ID', async () => {
      const id = await say(closed(await newRequest([{ ...ada, value: 'lost@example.com' }])));
      inbox.dropNext(1);
      await sender.send(id);
      expect(await row(id)).toMatchObject({ sent_at: null, error_code: 'MAIL_FAILED' });
      await makeDue(id);
      await sender.send(id);
      const ids = messageIds(mailsTo('lost@example.com'));
      expect(ids).toEqual([`<${id}@shop.example>`, `<${id}@shop.example>`]);
      expect(entries.filter((each) => each.type === 'notification.sent')).toHaveLength(1);
    });

    it('because its worker died is found by the sweep when the claim has run out, and not before', async () => {
      const id = await say(closed(await newRequest([{ ...ada, value: 'died@example.com' }])));
      const dying = createNotificationSender({
        ...deps,
        describeClosure: async () => {
          throw new Error('killed');
        },
      });
      await expect(dying.send(id)).rejects.toThrow('killed');
      const poked = (): boolean => jobs.some((job) => job.delayMs === -1 && job.data['notification_id'] === id);
      await sender.sweep();
      expect(poked()).toBe(false);
      await makeDue(id);
      await sender.sweep();
      expect(poked()).toBe(true);
      await sender.send(id);
      expect(mailsTo('died@example.com')).toHaveLength(1);
    });

    it.each<[string, readonly NewIdentifier[], Partial<SendNotificationDeps>, string]>([
      ['the person gave no address, though a system knew one', [{ kind: 'phone', value: '+12025550143', foundBy: 'given', confidence: 1 }, { ...ada, value: 'found@example.com', foundBy: 'connection:segment' }], {}, 'NO_ADDRESS'],
      ['the only address is one that an erasure left', [{ ...ada, value: 'deleted-a1b2c3d4@example.com' }], {}, 'MASKED_ADDRESS'],
      ['no mail server is configured', [{ ...ada, value: 'found@example.com' }], { mailer: undefined }, 'MAIL_NOT_CONFIGURED'],
      ['the server refused the address for good', [{ ...ada, value: 'found@example.com' }], { mailer: { domain: 'shop.example', send: async () => 'refused' } }, 'MAIL_REFUSED'],
    ])('because %s ends with a code and an entry', async (_what, identifiers, change, reason) => {
      const requestId = await newRequest(identifiers);
      const id = await say(closed(requestId));
      await createNotificationSender({ ...deps, ...change }).send(id);
      expect(await row(id)).toMatchObject({ sent_at: null, wake_at: null, error_code: reason });
      expect(entries).toMatchObject([{ type: 'notification.skipped', reason_code: reason, request_id: formatId('request', requestId) }]);
      expect(await sender.subjectWaits(requestId)).toBe(false);
      expect(mailsTo('found@example.com')).toEqual([]);
      expect(mailsTo('deleted-a1b2c3d4@example.com')).toEqual([]);
    });

    it('to the officer, whose address is refused, is tried until the configuration is mended', async () => {
      const requestId = await newRequest([ada]);
      const id = await say({ requestId, template: 'dpo_manual_task', recipient: 'dpo', occasion: newId('manualTask') });
      await createNotificationSender({ ...deps, mailer: { domain: 'shop.example', send: async () => 'refused' } }).send(id);
      expect(await row(id)).toMatchObject({ sent_at: null, error_code: 'MAIL_FAILED' });
      await makeDue(id);
      await sender.send(id);
      expect((await row(id)).sent_at).not.toBeNull();
    });

    it('because the request was opened again says so', async () => {
      const id = await say(closed(await newRequest([ada])));
      await createNotificationSender({ ...deps, describeClosure: reopened }).send(id);
      expect(await row(id)).toMatchObject({ wake_at: null, error_code: 'SUPERSEDED' });
    });

    it('because another code replaced it, or the person was destroyed, says so', async () => {
      code = undefined;
      const superseded = await say({ requestId: await newRequest([ada]), template: 'verification_code', recipient: 'subject', occasion: 'code-1' });
      await sender.send(superseded);
      expect((await row(superseded)).error_code).toBe('SUPERSEDED');
      const requestId = await newRequest([ada]);
      const destroyed = await say(closed(requestId));
      await database.transaction((tx) => vault.shred(tx, requestId, []));
      await sender.send(destroyed);
      expect(await row(destroyed)).toMatchObject({ wake_at: null, error_code: 'KEY_DESTROYED' });
    });

    it('for a week is given up, and not an hour earlier', async () => {
      const start = now;
      const refusing = createNotificationSender({ ...deps, mailer: { domain: 'shop.example', send: async () => 'failed' } });
      const id = await say(closed(await newRequest([ada])));
      now = start + 7 * 86_400_000 - 3_600_000;
      await refusing.send(id);
      expect(await row(id)).toMatchObject({ error_code: 'MAIL_FAILED' });
      expect((await row(id)).wake_at).not.toBeNull();
      now = start + 7 * 86_400_000 + 1;
      await makeDue(id);
      await refusing.send(id);
      expect(await row(id)).toMatchObject({ error_code: 'GAVE_UP', wake_at: null, sent_at: null });
      now = start;
    });
  });

  describe('the mailer', () => {
    it('tells a refused address from a server that is busy or away, and logs no address', async () => {
      const { SMTPServer } = await import('smtp-server');
      const replies: Record<string, number> = { 'gone@example.com': 550, 'later@example.com': 451, 'fine@example.com': 250 };
      const server = new SMTPServer({
        authOptional: true,
        disabledCommands: ['AUTH', 'STARTTLS'],
        onMailFrom: (address, _session, callback) => callback(address.address.startsWith('bad') ? Object.assign(new Error('no'), { responseCode: 550 }) : null),
        onRcptTo: (address, _session, callback) => {
          const reply = replies[address.address] ?? 250;
          callback(reply === 250 ? null : Object.assign(new Error(`no such person ${address.address}`), { responseCode: reply }));
        },
        onData: (stream, _session, callback) => {
          stream.resume();
          stream.on('end', () => callback(null));
        },
      });
      server.on('error', () => undefined);
      const port = await new Promise<number>((resolve) => {
        const listening = server.listen(0, '127.0.0.1', () => resolve((listening.address() as { port: number }).port));
      });
      const log = createLog('trace', { write: (line) => void logged.push(line) });
      const mailer = createMailer({ smtpUrl: new Secret(`smtp://127.0.0.1:${port}`), from: 'privacy@shop.example' }, log);
      const message = { subject: 'x', text: 'y' };
      expect(await mailer.send('fine@example.com', '<1@shop.example>', message)).toBe('accepted');
      expect(await mailer.send('gone@example.com', '<1@shop.example>', message)).toBe('refused');
      expect(await mailer.send('later@example.com', '<1@shop.example>', message)).toBe('failed');
      const refusedSender = createMailer({ smtpUrl: new Secret(`smtp://127.0.0.1:${port}`), from: 'bad@shop.example' }, log);
      expect(await refusedSender.send('fine@example.com', '<1@shop.example>', message)).toBe('failed');
      await new Promise<void>((resolve) => server.close(() => resolve()));
      expect(await mailer.send('fine@example.com', '<1@shop.example>', message)).toBe('failed');
      expect(logged.length).toBeGreaterThan(3);
      expect(logged.join('\n')).not.toContain('@example.com');
    });
  });
});
