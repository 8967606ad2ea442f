import { randomBytes } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { RequestId } from '../../contract/ids.ts';
import type { Right } from '../../contract/outcomes.ts';
import { documentSchema } from '../../platform/config/document.ts';
import { createLocalKeyProvider } from '../../platform/crypto/key-provider.ts';
import { loadSystemKeys } from '../../platform/crypto/system-keys.ts';
import type { Database } from '../../platform/db/database.ts';
import { isFailure } from '../../platform/failure.ts';
import { newId } from '../../platform/ids.ts';
import { systemRandom } from '../../platform/random.ts';
import { createVault, type Vault } from '../identity/index.ts';
import { appealWaits, createClockActions, type ClockActions } from './act-on-clock.ts';
import { createRequestActions, type RequestActions } from './act-on-request.ts';
import { createClockReminders } from './clock-reminders.ts';
import { createLawClocks } from './law-clocks.ts';
import { createRequestNoticeFacts } from './notice-facts.ts';
import { createOpenRequest, type OpenRequest } from './open-request.ts';
import type { Notice } from './say.ts';
import { findRequest } from './store.ts';
import type { RequestTables } from './tables.ts';

const dayMs = 86_400_000;
const received = Date.parse('2026-03-03T10:00:00Z');
let now = received;
const clock = { now: () => now };
let database: Database;
let vault: Vault;
let open: OpenRequest;
let actions: RequestActions;
let clockActions: ClockActions;
let sweep: () => Promise<number>;
const entries: AuditEntry[] = [];
const said: Notice[] = [];
const anew: [RequestId, string][] = [];
const acknowledged = new Map<RequestId, number>();
const clocks = createLawClocks(documentSchema.parse({ version: 1, controller: { name: 'Shop', contact: 'privacy@shop.example' } }).clocks, 'gdpr');

async function request(options: { readonly jurisdiction?: string; readonly right?: Right; readonly verified?: boolean; readonly language?: string } = {}): Promise<RequestId> {
  const { jurisdiction = 'DE', right = 'erasure', verified = true, language } = options;
  const prepared = await vault.prepare(newId('request'));
  const verification = verified ? 'source' : 'email_code';
  const incoming = { source: 'shop', sourceId: randomBytes(8).toString('hex'), payloadHash: randomBytes(32), right, jurisdiction, identifiers: [{ kind: 'email', value: 'ada@example.com', foundBy: 'given', confidence: 1 }], verification, language } as const;
  await database.transaction((tx) => open(tx, incoming, prepared));
  return prepared.requestId;
}
const rowOf = async (id: RequestId) => {
  const row = await findRequest(database.read<RequestTables>(), id);
  if (row === undefined) throw new Error('no such request');
  return row;
};
const saidOf = (id: RequestId): string[] => said.filter((each) => each.requestId === id).map((each) => `${each.template} ${each.occasion.split(':', 1)[0]}`);
async function failure(work: Promise<unknown>): Promise<{ code: string; detail: string }> {
  try {
    await work;
  } catch (error) {
    if (isFailure(error)) return { code: error.code, detail: error.detail };
    throw error;
  }
  throw new Error('it did not fail');
}
const dateOf = (explained: Awaited<ReturnType<ClockActions['explain']>>, name: string) => explained.dates.find((each) => each.name === name);

describe.each(databaseKinds)('on the database of kind $kind', ({ kind }) => {
  const shared = useDatabase(kind, 'main');
  beforeAll(async () => {
    database = shared.open();
    const keyProvider = createLocalKeyProvider(randomBytes(32));
    vault = createVault({ database, keyProvider, systemKeys: await loadSystemKeys(database, keyProvider), clock });
    const record = async (_tx: unknown, entry: AuditEntry): Promise<void> => void entries.push(entry);
    // The real one says each occasion once, whatever the state of the transaction.
    const notify = async (_tx: unknown, notice: Notice): Promise<void> => {
      if (!said.some((each) => each.requestId === notice.requestId && each.template === notice.template && each.occasion === notice.occasion)) said.push(notice);
    };
    const jobs = { send: async () => undefined };
    open = createOpenRequest({ clock, random: systemRandom, jobs, vault, record, notify, startVerification: async () => undefined, beforeCommit: () => undefined, clocks, unverifiedDays: 14 });
    actions = createRequestActions({ database, clock, jobs, record, notify, clocks });
    const dated = { database, clock, clocks, record, notify, acknowledgedAt: async (id: RequestId) => acknowledged.get(id) };
    clockActions = createClockActions({ ...dated, jobs, unverifiedDays: 14, carryOutAnew: async (_tx, { id, status }) => void anew.push([id, status]) });
    sweep = createClockReminders(dated);
  });
  beforeEach(() => {
    now = received;
    entries.length = 0;
    said.length = 0;
    anew.length = 0;
  });

  describe('a request', () => {
    it('keeps the date, the law and its version, and the language; and the receipt is said', async () => {
      const id = await request({ language: 'de' });
      expect(await rowOf(id)).toMatchObject({ law: 'gdpr', law_version: '2026-11-21', language: 'de', due_at: new Date('2026-04-03T21:59:59.000Z') });
      expect(saidOf(id)).toEqual(['receipt receipt']);
      const facts = createRequestNoticeFacts(database, clocks);
      expect(await facts.languageOf(id)).toBe('de');
      expect(await facts.describeRequest(id, 'request')).toMatchObject({ right: 'erasure', law: 'EU GDPR', timeZone: 'Europe/Brussels', mayAppeal: false, reasonCode: undefined });
      expect((await failure(facts.describeRequest(id, 'refusal'))).code).toBe('CONFLICT');
    });

    it('of an opt-out in California has another date than one of an erasure there', async () => {
      expect((await rowOf(await request({ jurisdiction: 'US-CA' }))).due_at.toISOString()).toBe('2026-04-18T06:59:59.000Z');
      expect((await rowOf(await request({ jurisdiction: 'US-CA', right: 'opt_out_sale' }))).due_at.toISOString()).toBe('2026-03-25T06:59:59.000Z');
    });

    it('that waits for a code is told nothing but the code, until it is verified', async () => {
      const id = await request({ verified: false });
      expect(saidOf(id)).toEqual([]);
      expect(dateOf(await clockActions.explain(id), 'target')).toBeUndefined();
      now += dayMs;
      await database.transaction((tx) => actions.subjectVerified(tx, id, 'email_code'));
      expect(saidOf(id)).toEqual(['verified verified']);
      expect(dateOf(await clockActions.explain(id), 'target')?.at).toBe(new Date(received + dayMs + 72 * 3_600_000).toISOString());
    });
  });

  describe('the explanation', () => {
    it('leads step by step to each date, with the source of each step, and holds nothing of the person', async () => {
      const id = await request({ jurisdiction: 'US-CA' });
      const explained = await clockActions.explain(id);
      expect(explained).toMatchObject({ law: 'ccpa', chosen_because: 'the law of US-CA', grade: 'V', paused: false, extended: null, time_zone: 'America/Los_Angeles', may_be_paused_for: [] });
      expect(explained.dates.map((each) => each.name)).toEqual(['acknowledgement', 'target', 'extension_notice', 'due']);
      expect(dateOf(explained, 'acknowledgement')).toMatchObject({ at: '2026-03-18T06:59:59.000Z', done_at: null });
      expect(dateOf(explained, 'due')?.steps).toMatchObject([{ source: expect.stringContaining('7021'), from: '2026-03-03T10:00:00.000Z', to: '2026-04-18T06:59:59.000Z' }]);
      expect(JSON.stringify(explained)).not.toContain('ada@');
      acknowledged.set(id, now + 5);
      expect(dateOf(await clockActions.explain(id), 'acknowledgement')?.done_at).toBe(new Date(now + 5).toISOString());
    });

    it('keeps the date that was set when the data of the law gives another now, and says so', async () => {
      const id = await request();
      await database.read<RequestTables>().updateTable('privacy_request').set({ due_at: new Date('2026-04-01T21:59:59Z'), law_version: '2025-01-01' }).where('id', '=', id).execute();
      const due = dateOf(await clockActions.explain(id), 'due');
      expect(due?.at).toBe('2026-04-01T21:59:59.000Z');
      expect(due?.steps.at(-1)).toMatchObject({ source: 'law pack 2025-01-01', to: '2026-04-01T21:59:59.000Z' });
    });

    it('names the draft of the jurisdiction that was not relied on', async () => {
      const explained = await clockActions.explain(await request({ jurisdiction: 'KE' }));
      expect(explained).toMatchObject({ law: 'gdpr', not_relied_on: [{ law: 'kenya_dpa', due_at: '2026-03-17T20:59:59.000Z' }] });
      expect(explained.chosen_because).toContain('no sure clock');
    });

    it('of a request that there is not fails with NOT_FOUND', async () => {
      expect((await failure(clockActions.explain(newId('request')))).code).toBe('NOT_FOUND');
    });
  });

  describe('an extension', () => {
    it('moves the date, is recorded with its reason, and told to the person; once', async () => {
      const id = await request();
      now += 20 * dayMs;
      const explained = await clockActions.extend(id, 'dpo', 'complexity_of_process');
      expect(explained.extended).toEqual({ at: new Date(now).toISOString(), reason_code: 'complexity_of_process' });
      expect((await rowOf(id)).due_at.toISOString()).toBe('2026-06-03T21:59:59.000Z');
      expect(entries.find((each) => each.type === 'request.extended')).toMatchObject({ actor: { role: 'operator', id: 'dpo' }, reason_code: 'complexity_of_process', proof: { due_before: '2026-04-03T21:59:59.000Z', due_after: '2026-06-03T21:59:59.000Z' } });
      expect(saidOf(id)).toContain('extended extended');
      expect((await failure(clockActions.extend(id, 'dpo', 'complexity_of_process'))).code).toBe('CONFLICT');
    });

    it('after the time for telling the person is refused with the law named, and in its last second it is not', async () => {
      const [late, last] = [await request(), await request()];
      now = Date.parse('2026-04-03T21:59:59.000Z');
      await clockActions.extend(last, 'dpo', 'high_volume_of_processes');
      now += 1;
      const refused = await failure(clockActions.extend(late, 'dpo', 'high_volume_of_processes'));
      expect(refused).toMatchObject({ code: 'LAW_FORBIDS', detail: expect.stringMatching(/EU GDPR.*2026-04-03T21:59:59/u) });
      expect((await rowOf(late)).extended_at).toBeNull();
    });

    it('that the law does not know, or not for that reason, is refused with the law named', async () => {
      const optOut = await request({ jurisdiction: 'US-CA', right: 'opt_out_sale' });
      expect(await failure(clockActions.extend(optOut, 'dpo', 'complexity_of_process'))).toMatchObject({ code: 'LAW_FORBIDS', detail: expect.stringContaining('California') });
      expect(await failure(clockActions.extend(await request(), 'dpo', 'information_required'))).toMatchObject({ code: 'LAW_FORBIDS', detail: expect.stringContaining('complexity_of_process or high_volume_of_processes') });
      expect((await failure(clockActions.extend(await request(), 'dpo', 'complexity_of_process', '2026-12-31'))).code).toBe('VALIDATION_FAILED');
    });

    it('of a law that sets no length needs a later date', async () => {
      const id = await request({ jurisdiction: 'KR' });
      expect((await failure(clockActions.extend(id, 'dpo', 'complexity_of_process'))).code).toBe('VALIDATION_FAILED');
      expect((await failure(clockActions.extend(id, 'dpo', 'complexity_of_process', '2026-03-05'))).code).toBe('VALIDATION_FAILED');
      await clockActions.extend(id, 'dpo', 'complexity_of_process', '2026-04-10');
      expect((await rowOf(id)).due_at.toISOString()).toBe('2026-04-10T14:59:59.000Z');
      expect(dateOf(await clockActions.explain(id), 'due')?.at).toBe('2026-04-10T14:59:59.000Z');
    });

    it('of a request that has ended is refused', async () => {
      const id = await request();
      await actions.reject(id, 'dpo', 'process_excessive');
      expect((await failure(clockActions.extend(id, 'dpo', 'complexity_of_process'))).code).toBe('CONFLICT');
    });
  });

  describe('a pause', () => {
    it('moves the date by the whole days that it lasted, where the law allows it', async () => {
      const id = await request();
      now += dayMs;
      expect((await clockActions.pause(id, 'dpo', 'identity_verification_required')).paused).toBe(true);
      expect((await failure(clockActions.pause(id, 'dpo', 'identity_verification_required'))).code).toBe('CONFLICT');
      now += 5 * dayMs + 3_600_000;
      const explained = await clockActions.resume(id, 'dpo');
      expect(explained.paused).toBe(false);
      expect((await rowOf(id)).due_at.toISOString()).toBe('2026-04-08T21:59:59.000Z');
      expect(dateOf(explained, 'due')?.steps.at(-1)?.what).toContain('5 whole days');
      expect((await failure(clockActions.resume(id, 'dpo'))).code).toBe('CONFLICT');
      expect(entries.map((each) => each.type).filter((each) => each === 'request.paused' || each === 'request.resumed')).toEqual(['request.paused', 'request.resumed']);
    });

    it('in California, or for what the law does not know, is refused with the law named, and in the United Kingdom it is not', async () => {
      expect(await failure(clockActions.pause(await request({ jurisdiction: 'US-CA' }), 'dpo', 'identity_verification_required'))).toMatchObject({ code: 'LAW_FORBIDS', detail: expect.stringContaining('California CCPA/CPRA (11 CCR § 7021') });
      expect((await failure(clockActions.pause(await request(), 'dpo', 'information_required'))).code).toBe('LAW_FORBIDS');
      expect((await clockActions.pause(await request({ jurisdiction: 'GB' }), 'dpo', 'information_required')).paused).toBe(true);
      now = Date.parse('2026-02-01T10:00:00Z');
      expect((await failure(clockActions.pause(await request({ jurisdiction: 'GB' }), 'dpo', 'information_required'))).code).toBe('LAW_FORBIDS');
    });
  });

  describe('a refusal', () => {
    it('needs a ground that the law knows, and is told to the person', async () => {
      const id = await request();
      expect(await failure(actions.reject(id, 'dpo', 'entity_already_informed'))).toMatchObject({ code: 'LAW_FORBIDS', detail: expect.stringContaining('process_excessive') });
      expect((await rowOf(id)).status).not.toBe('rejected');
      expect(saidOf(id)).not.toContain('refused refused');
      await actions.reject(id, 'dpo', 'freedom_of_expression_impaired');
      expect(saidOf(id)).toContain('refused refused');
      expect(await createRequestNoticeFacts(database, clocks).describeRequest(id, 'refusal')).toMatchObject({ reasonCode: 'freedom_of_expression_impaired' });
    });
  });

  describe('an appeal', () => {
    it('has a date of its own, keeps the person reachable until it is decided, and its decision is told', async () => {
      const id = await request({ jurisdiction: 'US-VA' });
      expect((await failure(clockActions.appeal(id, 'dpo'))).code).toBe('CONFLICT');
      await actions.reject(id, 'dpo', 'process_unfounded');
      expect(await appealWaits(database, id)).toBe(false);
      const explained = await clockActions.appeal(id, 'dpo');
      expect(dateOf(explained, 'appeal')).toMatchObject({ at: '2026-05-03T03:59:59.000Z', done_at: null });
      expect((await failure(clockActions.appeal(id, 'dpo'))).code).toBe('CONFLICT');
      expect(await appealWaits(database, id)).toBe(true);
      now += 3 * dayMs;
      await clockActions.decide(id, 'dpo', { decision: 'denied', reason: 'legally_exempted' });
      expect(await appealWaits(database, id)).toBe(false);
      expect(saidOf(id)).toEqual(expect.arrayContaining(['dpo_clock appeal_opened', 'appeal_decided appeal_decided']));
      expect(entries.filter((each) => each.type.startsWith('request.appeal')).map((each) => [each.type, each.to, each.reason_code])).toEqual([
        ['request.appealed', undefined, undefined],
        ['request.appeal_decided', 'denied', 'legally_exempted'],
      ]);
      expect((await failure(clockActions.decide(id, 'dpo', { decision: 'granted' }))).code).toBe('CONFLICT');
      expect(await createRequestNoticeFacts(database, clocks).describeRequest(id, 'appeal')).toMatchObject({ decision: 'denied', reasonCode: 'legally_exempted', mayAppeal: true });
    });

    it('that is granted opens the request again, by the date of the appeal; what it came to stays in the log', async () => {
      const id = await request({ jurisdiction: 'US-VA' });
      await actions.reject(id, 'dpo', 'process_unfounded');
      await clockActions.appeal(id, 'dpo');
      now += 10 * dayMs;
      const explained = await clockActions.decide(id, 'dpo', { decision: 'granted' });
      expect(await rowOf(id)).toMatchObject({ status: 'verified', verdict: null, reason_code: null, closed_at: null, planned_at: null, due_at: new Date('2026-05-03T03:59:59.000Z'), wake_at: new Date(now) });
      expect(dateOf(explained, 'due')).toMatchObject({ at: '2026-05-03T03:59:59.000Z', done_at: null });
      expect(dateOf(explained, 'due')?.steps.at(-1)?.what).toContain('an appeal was granted');
      expect(anew).toEqual([[id, 'rejected']]);
      expect(entries.filter((each) => each.request_id !== undefined).map((each) => [each.type, each.from, each.to, each.reason_code]).slice(-4)).toEqual([
        ['request.rejected', 'verified', 'rejected', 'process_unfounded'],
        ['request.appealed', undefined, undefined, undefined],
        ['request.appeal_decided', undefined, 'granted', undefined],
        ['request.reopened', 'rejected', 'verified', 'appeal_granted'],
      ]);
      expect(saidOf(id)).toEqual(expect.arrayContaining(['appeal_decided appeal_decided', 'dpo_clock appeal_granted']));
      expect((await failure(clockActions.decide(id, 'dpo', { decision: 'granted' }))).code).toBe('CONFLICT');
    });

    it('that is granted to somebody who never proved who they are has them prove it first', async () => {
      const id = await request({ jurisdiction: 'US-VA', verified: false });
      await actions.reject(id, 'dpo', 'identity_verification_failure');
      await clockActions.appeal(id, 'dpo');
      await clockActions.decide(id, 'dpo', { decision: 'granted' });
      expect(await rowOf(id)).toMatchObject({ status: 'verifying', verdict: null, wake_at: new Date(now + 14 * dayMs) });
    });

    it('is not granted where what was known of the person is destroyed, and changes nothing then', async () => {
      const id = await request({ jurisdiction: 'US-VA' });
      await actions.reject(id, 'dpo', 'process_unfounded');
      await clockActions.appeal(id, 'dpo');
      await database.read<RequestTables>().updateTable('privacy_request').set({ wake_at: null }).where('id', '=', id).execute();
      expect((await failure(clockActions.decide(id, 'dpo', { decision: 'granted' }))).code).toBe('CONFLICT');
      expect(await rowOf(id)).toMatchObject({ status: 'rejected', verdict: 'refused' });
      expect(await appealWaits(database, id)).toBe(true);
    });

    it('where the law knows none is refused with the law named', async () => {
      const id = await request({ jurisdiction: 'US-UT' });
      await actions.reject(id, 'dpo', 'process_unfounded');
      expect(await failure(clockActions.appeal(id, 'dpo'))).toMatchObject({ code: 'LAW_FORBIDS', detail: expect.stringContaining('Utah') });
    });
  });

  describe('the officer', () => {
    const runUntil = async (end: number): Promise<void> => {
      for (; now <= end; now += 3_600_000) await sweep();
    };

    it('hears once before and once after each date that is not kept', async () => {
      const id = await request({ jurisdiction: 'US-CA' });
      await runUntil(received + 60 * dayMs);
      expect(saidOf(id)).toEqual([
        'receipt receipt',
        'dpo_clock target_soon',
        'dpo_clock target_passed',
        'dpo_clock acknowledgement_soon',
        'dpo_clock acknowledgement_passed',
        'dpo_clock extension_notice_soon',
        'dpo_clock deadline_soon',
        'dpo_clock deadline_passed',
        'dpo_clock extension_notice_passed',
      ]);
      expect((await rowOf(id)).clock_wake_at).toBeNull();
    });

    it('hears nothing of what was done in time, and of the new date after an extension', async () => {
      const id = await request();
      acknowledged.set(id, now);
      now += 10 * dayMs;
      await clockActions.extend(id, 'dpo', 'complexity_of_process');
      said.length = 0;
      await runUntil(received + 100 * dayMs);
      expect(saidOf(id)).toEqual(['dpo_clock target_passed', 'dpo_clock deadline_soon', 'dpo_clock deadline_passed']);
    });

    it('hears of every other request when the dates of one cannot be computed, which is thrown and looked at again later', async () => {
      const [broken, whole] = [await request(), await request()];
      await database.read<RequestTables>().updateTable('privacy_request').set({ law: 'lex_nullius' }).where('id', '=', broken).execute();
      now = received + 62 * 3_600_000;
      await expect(sweep()).rejects.toThrow(AggregateError);
      expect(saidOf(whole)).toContain('dpo_clock target_soon');
      expect((await rowOf(broken)).clock_wake_at?.getTime()).toBe(now + 3_600_000);
      await database.read<RequestTables>().updateTable('privacy_request').set({ law: 'gdpr' }).where('id', '=', broken).execute();
      now += 3_600_000;
      await sweep();
      expect(saidOf(broken)).toContain('dpo_clock target_soon');
    });

    it('hears of the new deadline of a request that was opened again, and of nothing that was to be done before its first end', async () => {
      const id = await request({ jurisdiction: 'US-VA' });
      await actions.reject(id, 'dpo', 'process_unfounded');
      await clockActions.appeal(id, 'dpo');
      now += 10 * dayMs;
      await clockActions.decide(id, 'dpo', { decision: 'granted' });
      said.length = 0;
      await runUntil(received + 90 * dayMs);
      expect(saidOf(id)).toEqual(['dpo_clock deadline_soon', 'dpo_clock deadline_passed']);
    });

    it('hears nothing more of a request that has ended, but of its appeal', async () => {
      const id = await request({ jurisdiction: 'US-VA' });
      await actions.reject(id, 'dpo', 'process_unfounded');
      await runUntil(received + 10 * dayMs);
      expect(saidOf(id).filter((each) => each.startsWith('dpo'))).toEqual([]);
      await clockActions.appeal(id, 'dpo');
      await runUntil(received + 90 * dayMs);
      expect(saidOf(id).filter((each) => each.startsWith('dpo'))).toEqual(['dpo_clock appeal_opened', 'dpo_clock appeal_soon', 'dpo_clock appeal_passed']);
    });
  });
});
