import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { compose, serviceNames, type Quittance } from '../../src/composition.ts';
import { parseConfig } from '../../src/platform/config/load.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLog } from '../../src/platform/log.ts';
import { startMailInbox, type MailInbox } from '../../src/sandbox/mail/index.ts';
import { apiKey, call, eventually, testFolder, untilStatus } from '../support/quittance.ts';

/** What came in at a receiver. */
interface Received {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** A receiver of events: says of each call which status it is answered with. */
interface Receiver {
  readonly url: string;
  readonly received: Received[];
  answer: (each: Received) => number;
  readonly close: () => void;
}

async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const receiver: Receiver & { server: Server } = {
    url: '',
    received,
    answer: () => 200,
    server: createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const each = { path: request.url ?? '', authorization: request.headers.authorization, body: Buffer.concat(chunks).toString('utf8') };
        received.push(each);
        response.writeHead(receiver.answer(each)).end();
      });
    }),
    close: () => void receiver.server.close(),
  };
  receiver.server.listen(0, '127.0.0.1');
  await once(receiver.server, 'listening');
  const address = receiver.server.address();
  return Object.assign(receiver, { url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}` });
}

let receivers: Record<'profiles' | 'search' | 'billing', Receiver>;
let mail: MailInbox;
let folder: ReturnType<typeof testFolder>;
let running: Quittance | undefined;
let url = '';

const destination = (receiver: Receiver, name: string): Record<string, unknown> => ({
  kind: 'http',
  endpoint: `${receiver.url}/events/*`,
  auth: { kind: 'bearer', token: '${env:RECEIVER_TOKEN}' },
  allow_private_network: true,
  acknowledges_with: `\${env:ACK_${name.toUpperCase()}}`,
});
const erasureTarget = (name: string): Record<string, unknown> => ({
  id: name,
  destination: name,
  PathParameterValues: ['$.detail.request_id'],
  acknowledgement: 'required',
  InputPathsMap: { id: '$.detail.event_id', who: '$.detail.identifiers' },
  InputTemplate: '{"erase":<who>,"event":"<id>"}',
});

function configText(): string {
  return stringify({
    version: 1,
    controller: { name: 'Example Company', contact: 'privacy@example.com', dpo: 'dpo@example.com' },
    requests: { grace_days: 1 },
    access: { api_keys: [{ name: 'tester', key: '${env:API_KEY}', verify: 'source' }] },
    mail: { smtp_url: '${env:SMTP_URL}', from: 'Example Company <privacy@example.com>' },
    connections: { apps: { connector: 'subscribers', identifiers: ['user_id'] } },
    events: {
      source: 'compliance.service',
      names: { 'erasure.completed': 'gdpr.deletion.complete' },
      destinations: { profiles: destination(receivers.profiles, 'profiles'), search: destination(receivers.search, 'search'), billing: destination(receivers.billing, 'billing') },
      rules: {
        'erase-everywhere': { EventPattern: { 'detail-type': ['erasure.requested'], detail: { system: ['apps'] } }, identifiers: ['user_id'], targets: [erasureTarget('search'), erasureTarget('billing')] },
        'anonymise-profile': {
          EventPattern: { source: ['compliance.service'], 'detail-type': ['gdpr.deletion.complete'] },
          identifiers: ['user_id'],
          targets: [
            {
              id: 'profile',
              destination: 'profiles',
              PathParameterValues: ['profile'],
              InputPathsMap: { cid: '$.detail.identifiers.user_id[0]' },
              InputTemplate: '{"profile_id":"<cid>","action":"anonymize","identifiers":{"email":null,"phone":null}}',
            },
          ],
        },
      },
    },
    audit: { origin: 'example.com/quittance-test', checkpoint_seconds: 0.2 },
  });
}

const environment = (): Record<string, string> => ({ API_KEY: apiKey, SMTP_URL: mail.smtpUrl, RECEIVER_TOKEN: 'receiver-token', ACK_PROFILES: 'ack-token-of-profiles', ACK_SEARCH: 'ack-token-of-search', ACK_BILLING: 'ack-token-of-billing' });

async function start(): Promise<void> {
  running = await compose({
    settings: readSettings({ QUITTANCE_DATA_DIR: folder.path, QUITTANCE_PORT: '0' }),
    config: parseConfig(configText(), 'test configuration'),
    services: serviceNames,
    log: createLog('silent'),
    secrets: { environment: environment(), readFile: () => '' },
  });
  url = running.url ?? '';
}

beforeEach(async () => {
  receivers = { profiles: await startReceiver(), search: await startReceiver(), billing: await startReceiver() };
  mail = await startMailInbox();
  folder = testFolder();
  await start();
});
afterEach(async () => {
  await running?.stop();
  for (const each of Object.values(receivers)) each.close();
  await mail.close();
  folder.remove();
});

const erase = async (user: string): Promise<string> => {
  const answer = await call(url, '/v1/privacy-requests', { method: 'POST', body: JSON.stringify({ right: 'erasure', subject: { identifiers: [{ kind: 'user_id', value: user }] } }) });
  expect(answer.status).toBe(202);
  return (answer.body as unknown as { id: string }).id;
};
const acknowledge = async (event: string, name: 'search' | 'billing' | 'profiles', outcome: string, token = `ack-token-of-${name}`): Promise<number> =>
  (await fetch(`${url}/v1/events/${event}/acknowledgements`, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify({ outcome }) })).status;
const askedOf = (name: 'search' | 'billing'): Promise<{ erase: unknown; event: string }> => eventually(`The event at ${name}`, async () => (receivers[name].received[0] === undefined ? undefined : (JSON.parse(receivers[name].received[0].body) as { erase: unknown; event: string })));

describe('systems that erase on an event', () => {
  test('are asked by one event each, a task is settled when all have acknowledged it, and the completion is an event of its own that carries what its rule declared', { timeout: 120_000 }, async () => {
    const id = await erase('u-4711');
    const [search, billing] = [await askedOf('search'), await askedOf('billing')];
    expect(search).toEqual({ erase: { user_id: ['u-4711'] }, event: billing.event });
    expect(receivers.search.received[0]).toMatchObject({ path: `/events/${id}`, authorization: 'Bearer receiver-token' });
    expect(await acknowledge(search.event, 'search', 'erased')).toBe(200);
    expect(await acknowledge(search.event, 'search', 'erased')).toBe(200);
    // Neither a stranger nor an operator nor another receiver speaks for who was asked.
    expect(await acknowledge(search.event, 'billing', 'erased', 'guessed')).toBe(401);
    expect(await acknowledge(search.event, 'billing', 'erased', apiKey)).toBe(401);
    expect(await acknowledge(search.event, 'profiles', 'erased')).toBe(404);
    const waiting = (await call(url, `/v1/event-deliveries?unacknowledged=true`)).body as unknown as { items: { destination: string }[] };
    expect(waiting.items.map((each) => each.destination)).toEqual(['billing']);
    expect(receivers.profiles.received).toEqual([]);
    expect(await acknowledge(search.event, 'billing', 'nothing_held')).toBe(200);
    expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
    const tasks = (await call(url, `/v1/privacy-requests/${id}/tasks`)).body as unknown as { items: Record<string, unknown>[] };
    expect(tasks.items.map(({ system, outcome, confirmation, counts }) => ({ system, outcome, confirmation, counts }))).toEqual([{ system: 'apps', outcome: 'erased', confirmation: 'attested_by_vendor', counts: { subscribers_erased: 1, subscribers_nothing_held: 1 } }]);
    const completion = await eventually('The completion at the profile service', async () => receivers.profiles.received[0]);
    expect(completion).toEqual({ path: '/events/profile', authorization: 'Bearer receiver-token', body: '{"profile_id":"u-4711","action":"anonymize","identifiers":{"email":null,"phone":null}}' });
    const events = (await call(url, `/v1/events?request_id=${id}`)).body as unknown as { items: { type: string; detail: unknown }[] };
    expect(events.items.map((each) => each.type)).toContain('gdpr.deletion.complete');
    expect(JSON.stringify(events)).not.toContain('u-4711');
    // One event for one question, however often its task was looked at.
    expect(receivers.search.received).toHaveLength(1);
  });

  test('that cannot be reached leave the task with a person, named; and once they can, and say so, it ends as it should', { timeout: 120_000 }, async () => {
    receivers.billing.answer = () => 400;
    const id = await erase('u-4712');
    const { event } = await askedOf('search');
    await acknowledge(event, 'search', 'erased');
    const manual = await eventually('The manual task', async () => ((await call(url, `/v1/manual-tasks?request_id=${id}`)).body as unknown as { items: { id: string; reason_code: string }[] }).items[0]);
    expect(manual.reason_code).toBe('EVENT_NOT_DELIVERED');
    await eventually('The alert', async () => mail.messages.find((each) => each.to.includes('dpo@example.com') && /Destination: billing/u.test(each.text)));
    expect(receivers.profiles.received).toEqual([]);
    receivers.billing.answer = () => 200;
    expect((await call(url, `/v1/manual-tasks/${manual.id}/settle`, { method: 'POST', body: JSON.stringify({ how: 'retry' }) })).status).toBe(200);
    const again = await eventually('The second event', async () => receivers.billing.received.map(({ body }) => (JSON.parse(body) as { event: string }).event).find((each) => each !== event));
    for (const name of ['search', 'billing'] as const) expect(await acknowledge(again, name, 'erased')).toBe(200);
    expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
  });

  test('get what they were to get when Quittance stops and starts again while they are down', { timeout: 120_000 }, async () => {
    receivers.search.answer = () => 503;
    const id = await erase('u-4713');
    const { event } = await askedOf('billing');
    await eventually('A failed try', async () => receivers.search.received[0]);
    await running?.stop();
    const before = receivers.search.received.length;
    receivers.search.answer = () => 200;
    await start();
    await eventually('The event after the start', async () => receivers.search.received[before], 90_000);
    for (const name of ['search', 'billing'] as const) expect(await acknowledge(event, name, 'erased')).toBe(200);
    expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
    expect(receivers.billing.received).toHaveLength(1);
  });
});
