import { afterEach, beforeEach } from 'vitest';
import { stringify } from 'yaml';
import { compose, serviceNames, type Quittance } from '../../src/composition.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { parseConfig } from '../../src/platform/config/load.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLog } from '../../src/platform/log.ts';
import { startMailInbox, type MailInbox } from '../../src/sandbox/mail/index.ts';
import { purgeCredentials, startPurge } from '../../src/sandbox/purge/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';
import { defaultAccount, startTwilio } from '../../src/sandbox/twilio/index.ts';
import { apiKey, call, eventually, testFolder } from '../support/quittance.ts';

/** The person that is planted, and one who must never be told of. */
export const ada = { email: 'ada@example.com', external_id: 'u-4711', phone: '+12025550143', cases: 2, notes: 1 } as const;
const bob = { email: 'bob@example.com', external_id: 'u-4712' };

const search = { method: 'POST', path: '/subjects/search', body: { subject: { kind: '{{identifier.field}}', value: '{{identifier.value}}' } } };
const look = { type: 'contacts', request: search, items: '$.subjects', found: { email: '$.email', user_id: '$.external_id' } };
const holdOf = (recipients: readonly string[]) => ({ contacts: { category: 'contact_data', purpose: 'customer care', legal_basis: 'contract', retention: 'until the account is closed', recipients, provided_by_subject: true } });

/** What a test has otherwise than usual. */
export interface RightsChanges {
  /** Whom the CRM's contacts were disclosed to, by name. */
  readonly disclosedTo?: readonly string[];
  readonly recipients?: Readonly<Record<string, unknown>>;
  readonly requests?: Readonly<Record<string, unknown>>;
  readonly connections?: Readonly<Record<string, unknown>>;
  readonly clock?: Clock;
  /** Without a mail server; telephones are reached. */
  readonly smsOnly?: true;
  /** Neither mail server nor telephone. */
  readonly unreachable?: true;
}

/** A running Quittance over one CRM that can be searched, read, corrected and erased in. */
export interface RightsBench {
  readonly crm: () => Simulator;
  readonly mail: () => MailInbox;
  readonly twilio: () => Simulator;
  /** Starts one; started a second time, it goes on with what the first one held. */
  readonly start: (changes?: RightsChanges) => Promise<string>;
  readonly open: (body: object) => Promise<string>;
  readonly post: (path: string, body?: unknown) => ReturnType<typeof call>;
  readonly items: (path: string) => Promise<readonly Record<string, unknown>[]>;
  /** Waits for a mail to an address whose text has these words. */
  readonly mailTo: (address: string, words: RegExp) => Promise<string>;
  /** Waits for a manual task of a request that is open for this reason, and gives its id. */
  readonly manualTask: (request: string, reason: string) => Promise<string>;
}

function configText(crm: Simulator, twilio: Simulator, changes: RightsChanges): string {
  const sms = { account_sid: defaultAccount.accountSid, auth: { auth_token: '${env:TWILIO_TOKEN}' }, hosts: { api: twilio.url, verify: twilio.url }, from: '+12025550100' };
  const mail = { smtp_url: '${env:SMTP_URL}', from: 'Example Company <privacy@example.com>' };
  const subject = { kind: '{{identifier.field}}', value: '{{identifier.value}}' };
  return stringify({
    version: 1,
    controller: { name: 'Example Company', contact: 'privacy@example.com', dpo: 'dpo@example.com' },
    requests: { grace_days: 0, ...changes.requests },
    ...(changes.unreachable ? {} : { identity: { sms } }),
    access: { api_keys: [{ name: 'tester', key: '${env:API_KEY}', verify: 'source' }] },
    ...(changes.smsOnly || changes.unreachable ? {} : { mail }),
    connections: {
      crm: {
        connector: 'http',
        title: 'Customer records',
        timeout_seconds: 1,
        base_url: crm.url,
        allow_private_network: true,
        auth: { scheme: 'bearer', token: '${env:CRM_TOKEN}' },
        identifiers: { email: 'email', user_id: 'external_id', phone: 'phone' },
        locate: [look],
        erase: [{ request: { method: 'POST', path: '/erasures', headers: { 'Idempotency-Key': '{{idempotency_key}}' }, body: { subject } }, answers: [{ status: [200, 202], is: 'pending', job: '$.job_id' }, { status: 404, is: 'nothing_matched' }], poll: { every_seconds: 1, request: { path: '/erasures/{{vendor_job}}' }, answers: [{ status: 200, when: { '$.status': 'completed' }, is: 'success' }, { status: 200, is: 'pending' }] } }],
        access: [look],
        rectify: [{ each: 'contacts', fields: { email: '$.email', phone: '$.phone' }, request: { method: 'PATCH', path: '/contacts/{{item.id}}', body: { email: '{{correction.email?}}', phone: '{{correction.phone?}}' } }, answers: [{ status: 204, is: 'success' }] }],
        holds: holdOf(changes.disclosedTo ?? []),
      },
      ...changes.connections,
    },
    recipients: changes.recipients ?? {},
    audit: { origin: 'example.com/quittance-test', checkpoint_seconds: 0.2 },
  });
}

/** Sets a test file up: simulators before each test, everything stopped after it. */
export function useRights(): RightsBench {
  let crm: Simulator;
  let mail: MailInbox;
  let twilio: Simulator;
  let folder: ReturnType<typeof testFolder>;
  let running: Quittance | undefined;
  const urlOf = (): string => running?.url ?? '';
  const items = async (path: string): Promise<readonly Record<string, unknown>[]> => (await call(urlOf(), path)).body['items'] as unknown as readonly Record<string, unknown>[];
  beforeEach(async () => {
    [crm, mail, twilio] = [await startPurge(), await startMailInbox(), await startTwilio()];
    folder = testFolder();
    crm.seed({ account: { stage_ms: 100, polls_per_stage: 1 }, subjects: [ada, bob] });
  });
  afterEach(async () => {
    await running?.stop();
    running = undefined;
    await Promise.all([crm.close(), mail.close(), twilio.close()]);
    folder.remove();
  });
  return {
    crm: () => crm,
    mail: () => mail,
    twilio: () => twilio,
    start: async (changes = {}) => {
      await running?.stop();
      running = await compose({
        settings: readSettings({ QUITTANCE_DATA_DIR: folder.path, QUITTANCE_PORT: '0' }),
        config: parseConfig(configText(crm, twilio, changes), 'test configuration'),
        services: serviceNames,
        log: createLog('error'),
        secrets: { environment: { API_KEY: apiKey, SMTP_URL: mail.smtpUrl, CRM_TOKEN: purgeCredentials.token, TWILIO_TOKEN: defaultAccount.authToken }, readFile: () => '' },
        ...(changes.clock === undefined ? {} : { clock: changes.clock }),
      });
      return urlOf();
    },
    open: async (body) => {
      const answer = await call(urlOf(), '/v1/privacy-requests', { method: 'POST', body: JSON.stringify(body) });
      if (answer.status !== 202) throw new Error(`The request was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
      return String(answer.body['id']);
    },
    post: (path, body = {}) => call(urlOf(), path, { method: 'POST', body: JSON.stringify(body) }),
    items,
    mailTo: (address, words) => eventually(`A mail to ${address} with ${String(words)}`, async () => mail.messages.find((each) => each.to.includes(address) && words.test(each.text))?.text),
    manualTask: (request, reason) =>
      eventually(`The manual task ${reason}`, async () => {
        const open = (await items(`/v1/manual-tasks?request_id=${request}`)).find((each) => each['reason_code'] === reason);
        return open === undefined ? undefined : String(open['id']);
      }),
  };
}
