import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import { createSeededRandom } from '../../../test/crash/seeded-random.ts';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import { formatId, type RequestId } from '../../contract/ids.ts';
import { eventsSchema, type EventsConfig } from '../../platform/config/events.ts';
import type { Database } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { newEventId, newId } from '../../platform/ids.ts';
import type { JobData, JobKind } from '../../platform/jobs/jobs.ts';
import { createLog } from '../../platform/log.ts';
import { createAcknowledge } from './acknowledgements.ts';
import { createDispatch, type Destination } from './dispatch.ts';
import { createRouting } from './domain/routing.ts';
import { createPublish, storeEvent } from './publish.ts';
import { createReplays } from './replay.ts';
import { deliveriesOf, destinationStates, insertDestinations, newestDeliveries, pruneEvents } from './store.ts';
import type { EventTables } from './tables.ts';
import type { DeliveryResult, EventTarget, Outgoing } from './target.ts';

const hourMs = 3_600_000;
const start = Date.parse('2026-11-21T10:00:00Z');

/** A target that plays what it is told to, and remembers what it took. */
interface Played extends Omit<EventTarget, 'deliver'> {
  taken: Outgoing[];
  tries: number;
  answer: (each: Outgoing) => DeliveryResult;
  deliver: EventTarget['deliver'];
}

function play(order: EventTarget['order'] = 'one-by-one', batchMax = 10): Played {
  const target: Played = {
    batchMax,
    order,
    taken: [],
    tries: 0,
    answer: () => ({ kind: 'delivered' }),
    deliver: async (batch) => {
      target.tries += batch.length;
      return batch.map((each) => {
        const result = target.answer(each);
        if (result.kind === 'delivered') target.taken.push(each);
        return result;
      });
    },
    close: async () => undefined,
  };
  return target;
}

const http = { kind: 'http', endpoint: 'https://crm.example/events', auth: { kind: 'bearer', token: '${env:TOKEN}' } };
const config: EventsConfig = eventsSchema.parse({
  names: { 'erasure.completed': 'gdpr.deletion.complete' },
  destinations: { crm: { ...http, acknowledges_with: '${env:ACK}' }, search: http },
  rules: {
    closed: {
      EventPattern: { 'detail-type': ['gdpr.deletion.complete'] },
      identifiers: ['stripe_customer'],
      targets: [{ id: 'profile', destination: 'crm', acknowledgement: 'required', InputPathsMap: { cid: '$.detail.identifiers.stripe_customer[0]' }, InputTemplate: '{"profile_id":<cid>,"action":"anonymize"}' }],
    },
    all: { EventPattern: { source: ['quittance'], 'detail-type': [{ prefix: 'task.' }, { prefix: 'request.' }] }, targets: [{ id: 'index', destination: 'search' }] },
    off: { state: 'disabled', EventPattern: { source: ['quittance'] }, targets: [{ id: 'index', destination: 'search' }] },
  },
});

describe.each(databaseKinds)('the delivery of events on the database of kind $kind', ({ kind }) => {
  const shared = useDatabase(kind, 'main');
  const routing = createRouting(config);
  let database: Database;
  let now = start;
  let sent: string[] = [];
  let dead: string[] = [];
  let targets: Record<'crm' | 'search', Played>;
  let vault: Identifier[] | Failure = [];
  let stillAsked = true;
  const random = { ...createSeededRandom('dispatch'), digits: () => '000000' };
  const clock = { now: () => now };
  const jobs = {
    send: async (_tx: unknown, kindOfJob: JobKind, data: JobData): Promise<void> => void sent.push(`${kindOfJob.name}:${Object.values(data).join()}`),
    poke: async (): Promise<void> => undefined,
  };
  const publishing = { clock, jobs, routing, source: config.source };
  const publish = createPublish(publishing);
  const idle = new AbortController().signal;

  const dispatchTo = async (name: 'crm' | 'search', change: Partial<Destination> = {}, rules = routing): Promise<void> => {
    const destination: Destination = { name, attemptsMax: 186, ageMsMax: 24 * hourMs, target: targets[name], ...change };
    await createDispatch({
      ...publishing,
      routing: rules,
      database,
      random,
      log: createLog('silent'),
      takesBusEvents: () => true,
      isStillAsked: async () => stillAsked,
      destinations: new Map([[name, destination]]),
      onDead: async (_tx, finding) => void dead.push(`${finding.destination}:${finding.code}`),
      vault: {
        unlock: async (requestId) => {
          if (vault instanceof Failure) throw vault;
          return { requestId, identifiers: vault.map((each) => ({ ...each, id: newId('identifier'), confidence: each.raw === 'doubtful' ? 0.5 : 1, raw: undefined, foundBy: 'given', via: undefined, seenIn: [], commitment: '' })) } as never;
        },
      },
    })(name, idle);
  };
  const record = async (entry: Partial<AuditEntry> & Pick<AuditEntry, 'type'>, requestId: RequestId): Promise<string> => {
    const id = newEventId();
    await database.transaction((tx) => publish(tx, { at: new Date(now).toISOString(), actor: { role: 'system' }, request_id: formatId('request', requestId), ...entry }, id));
    return id;
  };
  const states = async (name: string) => (await destinationStates(database.read<EventTables>())).find((each) => each.name === name);

  beforeAll(async () => {
    database = shared.open();
  });
  beforeEach(async () => {
    const db = database.read<EventTables>();
    await db.deleteFrom('event').execute();
    await db.deleteFrom('event_destination').execute();
    await insertDestinations(db, ['crm', 'search']);
    [now, sent, dead, vault, stillAsked, targets] = [start, [], [], [], true, { crm: play(), search: play() }];
  });

  it('an event leaves by every enabled rule that matches it, and by no other; and wakes whoever sends', async () => {
    const id = await record({ type: 'request.planned' }, newId('request'));
    expect(sent).toEqual(['events-dispatch:search']);
    await dispatchTo('search');
    await dispatchTo('crm');
    expect(targets.search.taken.map(({ event }) => event.id)).toEqual([id]);
    expect(targets.crm.taken).toEqual([]);
    expect(JSON.parse(targets.search.taken[0]?.body ?? '')).toMatchObject({ version: '0', id, 'detail-type': 'request.planned', source: 'quittance', detail: { event_id: id, request_id: expect.stringMatching(/^req_/u) } });
  });

  it('an event of a transaction that rolls back never leaves', async () => {
    await expect(
      database.transaction(async (tx) => {
        await publish(tx, { type: 'request.planned', at: new Date(now).toISOString(), actor: { role: 'system' } }, newEventId());
        throw new Error('changed my mind');
      }),
    ).rejects.toThrow('changed my mind');
    await dispatchTo('search');
    expect(targets.search.taken).toEqual([]);
  });

  it('the completion of an erasure carries what its rule declared of the person, of what is proven, and nothing else', async () => {
    vault = [
      { kind: 'stripe_customer', value: 'cus_1' },
      { kind: 'stripe_customer', value: 'cus_other', raw: 'doubtful' },
      { kind: 'email', value: 'ada@example.com' },
    ];
    await record({ type: 'request.closed', right: 'erasure', verdict: 'fulfilled' }, newId('request'));
    await dispatchTo('crm');
    await dispatchTo('search');
    expect(targets.crm.taken.map(({ body }) => body)).toEqual(['{"profile_id":"cus_1","action":"anonymize"}']);
    expect(JSON.stringify(targets.crm.taken)).not.toContain('ada@');
    expect(JSON.stringify(targets.crm.taken)).not.toContain('cus_other');
    expect(targets.search.taken.map(({ event }) => event.type)).toEqual(['request.closed']);
    expect(JSON.stringify(targets.search.taken)).not.toContain('cus_1');
  });

  it('nothing is completed that was only partly done, refused, or asked for by another right', async () => {
    for (const verdict of ['partially_fulfilled', 'refused', 'nothing_held'] as const) await record({ type: 'request.closed', right: 'erasure', verdict }, newId('request'));
    await record({ type: 'request.closed', right: 'access', verdict: 'fulfilled' }, newId('request'));
    await dispatchTo('crm');
    expect(targets.crm.tries).toBe(0);
  });

  it('a vault that was destroyed leaves a dead letter; a key that is not there just now is waited for', async () => {
    await record({ type: 'request.closed', right: 'erasure', verdict: 'fulfilled' }, newId('request'));
    vault = new Failure('KEY_UNAVAILABLE', 'gone for now');
    await dispatchTo('crm');
    expect(dead).toEqual([]);
    vault = new Failure('KEY_DESTROYED', 'gone');
    now += hourMs;
    await dispatchTo('crm');
    expect(dead).toEqual(['crm:KEY_DESTROYED']);
    expect(targets.crm.tries).toBe(0);
  });

  it('a target that is down for an hour gets everything afterwards, in the order of each person', async () => {
    const people = [newId('request'), newId('request'), newId('request')];
    const expected: string[] = [];
    targets.search.answer = () => ({ kind: 'again', code: 'ECONNREFUSED' });
    for (let at = 0; at < 60; at += 1) {
      for (const person of people) expected.push(await record({ type: 'task.started', attempt: at }, person));
      await dispatchTo('search');
      now += 60_000;
    }
    expect(targets.search.taken).toEqual([]);
    const triesWhileDown = targets.search.tries;
    targets.search.answer = () => ({ kind: 'delivered' });
    for (let at = 0; at < 400 && targets.search.taken.length < expected.length; at += 1) {
      await dispatchTo('search');
      now += 1000;
    }
    expect(targets.search.taken.map(({ event }) => event.id).toSorted()).toEqual(expected.toSorted());
    for (const person of people) {
      const own = targets.search.taken.filter(({ event }) => event.subject === formatId('request', person)).map(({ event }) => event.detail['attempt']);
      expect(own).toEqual(Array.from({ length: 60 }, (_, at) => at));
    }
    // Tried with one delivery at a time while it was down, and not once for each of 180 each minute.
    expect(triesWhileDown).toBeLessThanOrEqual(62);
    expect(dead).toEqual([]);
  });

  it('a poison event ends as a dead letter with its reason, keeps nobody else waiting, and lets what is behind it pass', async () => {
    const [poisoned, other] = [newId('request'), newId('request')];
    const bad = await record({ type: 'task.started', attempt: 0 }, poisoned);
    await record({ type: 'task.started', attempt: 1 }, poisoned);
    await record({ type: 'task.started', attempt: 2 }, other);
    targets.search.answer = ({ event }) => (event.id === bad ? { kind: 'refused', code: 'HTTP_400' } : { kind: 'delivered' });
    await dispatchTo('search');
    expect(targets.search.taken.map(({ event }) => event.detail['attempt']).toSorted((left, right) => Number(left) - Number(right))).toEqual([1, 2]);
    expect(dead).toEqual(['search:HTTP_400']);
    expect(await states('search')).toMatchObject({ dead: 1, waiting: 0 });
  });

  it('one that fails holds back only what is behind it of the same person, and after the last try becomes a dead letter', async () => {
    const [stuck, other] = [newId('request'), newId('request')];
    const bad = await record({ type: 'task.started', attempt: 0 }, stuck);
    await record({ type: 'task.started', attempt: 1 }, stuck);
    await record({ type: 'task.started', attempt: 2 }, other);
    targets.search.answer = ({ event }) => (event.id === bad ? { kind: 'again', code: 'HTTP_500' } : { kind: 'delivered' });
    await dispatchTo('search', { attemptsMax: 4 });
    expect(targets.search.taken.map(({ event }) => event.detail['attempt'])).toEqual([2]);
    for (let at = 0; at < 10; at += 1) {
      now += 10 * 60_000;
      await dispatchTo('search', { attemptsMax: 4 });
    }
    expect(targets.search.taken.map(({ event }) => event.detail['attempt'])).toEqual([2, 1]);
    expect(dead).toEqual(['search:HTTP_500']);
  });

  it('a target that keeps the order of a batch is given several events of one person at once', async () => {
    targets.search = play('in-batch');
    const person = newId('request');
    for (let at = 0; at < 5; at += 1) await record({ type: 'task.started', attempt: at }, person);
    let batches = 0;
    const { deliver } = targets.search;
    targets.search.deliver = async (batch, signal) => {
      batches += 1;
      return deliver(batch, signal);
    };
    await dispatchTo('search');
    expect(targets.search.taken.map(({ event }) => event.detail['attempt'])).toEqual([0, 1, 2, 3, 4]);
    expect(batches).toBe(1);
  });

  it('what our own limit held back counts neither as a try nor as a failure of the destination', async () => {
    for (let at = 0; at < 3; at += 1) await record({ type: 'request.planned' }, newId('request'));
    targets.search.answer = () => ({ kind: 'again', code: 'OWN_RATE_LIMIT', retryAfterMs: 500 });
    for (let at = 0; at < 5; at += 1) {
      await dispatchTo('search', { attemptsMax: 2 });
      now += 1000;
    }
    expect(dead).toEqual([]);
    expect(await states('search')).toMatchObject({ failures: 0, waiting: 3 });
    targets.search.answer = () => ({ kind: 'delivered' });
    await dispatchTo('search', { attemptsMax: 2 });
    expect(targets.search.taken).toHaveLength(3);
  });

  it('a bug at one delivery is a try of it, ends with its tries, and keeps no other destination or person waiting', async () => {
    await record({ type: 'request.planned' }, newId('request'));
    targets.search.deliver = async () => {
      throw new Error('a bug');
    };
    for (let at = 0; at < 4; at += 1) {
      await dispatchTo('search', { attemptsMax: 3 });
      now += hourMs;
    }
    expect(dead).toEqual(['search:INTERNAL']);
  });

  it('a long Retry-After holds for its own delivery, and ages nobody else', async () => {
    const slow = await record({ type: 'task.started', attempt: 0 }, newId('request'));
    targets.search.answer = ({ event }) => (event.id === slow ? { kind: 'again', code: 'HTTP_429', retryAfterMs: 20 * hourMs } : { kind: 'delivered' });
    await dispatchTo('search');
    await record({ type: 'task.started', attempt: 1 }, newId('request'));
    now += 61_000;
    await dispatchTo('search');
    expect(targets.search.taken.map(({ event }) => event.detail['attempt'])).toEqual([1]);
  });

  it('an order to erase that nobody asks for any more, and one that would name nobody, never leave', async () => {
    const asking = createRouting(eventsSchema.parse({ destinations: config.destinations, rules: { erase: { EventPattern: { 'detail-type': ['erasure.requested'] }, identifiers: ['user_id'], targets: [{ id: 'search', destination: 'search' }] } } }));
    const ask = async (): Promise<void> => {
      const id = newEventId();
      await database.transaction((tx) => storeEvent({ ...publishing, routing: asking }, tx, { type: 'erasure.requested', detail: { task_id: 'tsk_1' } }, { id, requestId: newId('request'), at: new Date(now) }));
    };
    vault = [{ kind: 'user_id', value: 'u-1' }];
    await ask();
    stillAsked = false;
    await dispatchTo('search', {}, asking);
    stillAsked = true;
    vault = [{ kind: 'email', value: 'ada@example.com' }];
    await ask();
    await dispatchTo('search', {}, asking);
    expect(dead).toEqual(['search:NO_LONGER_ASKED', 'search:IDENTIFIER_UNKNOWN']);
    vault = [{ kind: 'user_id', value: 'u-1' }];
    await ask();
    await dispatchTo('search', {}, asking);
    expect(targets.search.taken.map(({ event }) => event.detail['identifiers'])).toEqual([{ user_id: ['u-1'] }]);
  });

  it('a rule that was changed since carries nothing of a person with an event that it did not declare it for; a rule that is disabled sends nothing', async () => {
    await record({ type: 'request.planned' }, newId('request'));
    await record({ type: 'request.planned' }, newId('request'));
    vault = [{ kind: 'user_id', value: 'u-1' }];
    const rule = { targets: [{ id: 'index', destination: 'search' }] };
    const narrowed = createRouting(eventsSchema.parse({ destinations: config.destinations, rules: { all: { ...rule, EventPattern: { 'detail-type': ['request.closed'] }, identifiers: ['user_id'] } } }));
    await dispatchTo('search', {}, narrowed);
    expect(dead).toEqual(['search:IDENTIFIERS_NOT_ALLOWED']);
    await record({ type: 'request.planned' }, newId('request'));
    await dispatchTo('search', {}, createRouting(eventsSchema.parse({ destinations: config.destinations, rules: { all: { ...rule, state: 'disabled', EventPattern: { source: ['quittance'] } } } })));
    expect(dead).toEqual(['search:IDENTIFIERS_NOT_ALLOWED', 'search:RULE_DISABLED']);
    expect(targets.search.tries).toBe(0);
  });

  it('a receiver that wants nothing any more is sent nothing until an operator says so, and nothing is lost', async () => {
    await record({ type: 'request.planned' }, newId('request'));
    targets.search.answer = () => ({ kind: 'gone', code: 'HTTP_410' });
    await dispatchTo('search');
    expect(dead).toEqual(['search:HTTP_410']);
    now += hourMs;
    await dispatchTo('search');
    expect(targets.search.tries).toBe(1);
    expect(await states('search')).toMatchObject({ waiting: 1, disabled_code: 'HTTP_410' });
  });

  it('one that was sent and whose worker died before it was noted is sent again with the same event id', async () => {
    const id = await record({ type: 'request.planned' }, newId('request'));
    const taken = Promise.withResolvers<undefined>();
    const wakes = Promise.withResolvers<undefined>();
    const { deliver } = targets.search;
    targets.search.deliver = async (batch, signal) => {
      const results = await deliver(batch, signal);
      taken.resolve(undefined);
      await wakes.promise;
      return results;
    };
    const standsStill = dispatchTo('search');
    await taken.promise;
    await database.read<EventTables>().updateTable('event_destination').set({ lease_until: new Date(0) }).execute();
    targets.search.deliver = deliver;
    await dispatchTo('search');
    expect(targets.search.taken.map(({ event }) => event.id)).toEqual([id, id]);
    wakes.resolve(undefined);
    await standsStill;
    expect((await deliveriesOf(database.read<EventTables>(), id)).map(({ status, attempts }) => ({ status, attempts }))).toEqual([{ status: 'delivered', attempts: 1 }]);
  });

  it('a worker that stood still while another took over writes nothing of what it did', async () => {
    const id = await record({ type: 'request.planned' }, newId('request'));
    const { deliver } = targets.search;
    let taking = true;
    targets.search.deliver = async (batch, signal) => {
      const results = await deliver(batch, signal);
      if (taking) {
        taking = false;
        await database.read<EventTables>().updateTable('event_destination').set({ lease_until: new Date(0) }).execute();
        await dispatchTo('search');
        return results.map(() => ({ kind: 'refused', code: 'STALE' }));
      }
      return results;
    };
    await dispatchTo('search');
    expect((await deliveriesOf(database.read<EventTables>(), id)).map(({ status, code }) => ({ status, code }))).toEqual([{ status: 'delivered', code: null }]);
    expect(dead).toEqual([]);
  });

  it('only one process at a time sends to a destination', async () => {
    for (let at = 0; at < 4; at += 1) await record({ type: 'request.planned' }, newId('request'));
    let [under, most] = [0, 0];
    const { deliver } = targets.search;
    targets.search.deliver = async (batch, signal) => {
      under += 1;
      most = Math.max(most, under);
      await new Promise((resolve) => setImmediate(resolve));
      under -= 1;
      return deliver(batch, signal);
    };
    await Promise.all([dispatchTo('search'), dispatchTo('search'), dispatchTo('search')]);
    expect(most).toBe(1);
    expect(targets.search.taken).toHaveLength(4);
  });

  it('a replay sends what a rule matches of a time once more, and only dead letters where it is told so', async () => {
    const replays = createReplays({ ...publishing, database });
    await record({ type: 'request.planned' }, newId('request'));
    now += 60_000;
    const from = new Date(now);
    const bad = await record({ type: 'request.planned' }, newId('request'));
    const good = await record({ type: 'request.planned' }, newId('request'));
    targets.search.answer = ({ event }) => (event.id === bad ? { kind: 'refused', code: 'HTTP_400' } : { kind: 'delivered' });
    await dispatchTo('search');
    targets.search.taken = [];
    targets.search.answer = () => ({ kind: 'delivered' });
    now += 60_000;
    const deadOnly = await replays.order({ rule: 'all', from, to: new Date(now), onlyDead: true }, 'operator');
    await replays.run(deadOnly.id, idle);
    await dispatchTo('search');
    expect(targets.search.taken.map(({ event }) => event.id)).toEqual([bad]);
    targets.search.taken = [];
    const all = await replays.order({ rule: 'all', from, to: new Date(now), onlyDead: false }, 'operator');
    await replays.run(all.id, idle);
    await dispatchTo('search');
    expect(targets.search.taken.map(({ event }) => event.id)).toEqual([bad, good]);
    expect(await replays.find(all.id)).toMatchObject({ looked_at: 2, sent: 2, done_at: expect.any(Date) });
    await expect(replays.order({ rule: 'none', from, to: new Date(now), onlyDead: false }, 'operator')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('an acknowledgement counts once, for who was asked; and its first word counts', async () => {
    const heard: string[] = [];
    const acknowledge = createAcknowledge({ database, clock, onAcknowledged: async (system, id) => void heard.push(`${system}:${id}`) });
    vault = [{ kind: 'stripe_customer', value: 'cus_1' }];
    await record({ type: 'request.closed', right: 'erasure', verdict: 'fulfilled' }, newId('request'));
    await dispatchTo('crm');
    const id = targets.crm.taken[0]?.event.id ?? '';
    expect(await newestDeliveries(database.read<EventTables>(), { unacknowledged: true }, 10)).toHaveLength(1);
    await expect(acknowledge(id, 'search', 'erased')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(acknowledge(newEventId(), 'crm', 'erased')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const first = await acknowledge(id, 'crm', 'erased');
    now += 1000;
    expect(await acknowledge(id, 'crm', 'erased')).toEqual(first);
    await expect(acknowledge(id, 'crm', 'failed')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await newestDeliveries(database.read<EventTables>(), { unacknowledged: true }, 10)).toEqual([]);
  });

  it('events are kept for their time, and longer as long as one waits', async () => {
    await record({ type: 'request.planned' }, newId('request'));
    await dispatchTo('search');
    const waiting = await record({ type: 'request.planned' }, newId('request'));
    expect(await pruneEvents(database.read<EventTables>(), new Date(now), 100)).toBe(0);
    now += 31 * 24 * hourMs;
    expect(await pruneEvents(database.read<EventTables>(), new Date(now), 100)).toBe(1);
    expect(await deliveriesOf(database.read<EventTables>(), waiting)).toHaveLength(1);
  });
});
