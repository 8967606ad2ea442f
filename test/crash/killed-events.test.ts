import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { apiKey, call, eventually, testFolder } from '../support/quittance.ts';
import { startChild, type ChildServer } from './child.ts';
import { createSeededRandom } from './seeded-random.ts';

const seed = process.env['EVENTS_SEED'] ?? 'events-1';
const requestsMade = 24;
const kills = 6;
const hourMs = 3_600_000;
/** How many calls a batch of an API destination makes side by side: what a kill in mid-delivery may have sent and not noted. */
const batch = 16;

interface Arrived {
  readonly id: string;
  readonly subject: string;
}

/** A receiver: notes what it took, and does to each call what it is told. */
interface Receiver {
  readonly name: string;
  readonly url: string;
  readonly taken: Arrived[];
  readonly close: () => void;
}

type Treatment = 'take' | 'refuse' | 'fail' | 'take_and_drop' | 'unavailable';

async function startReceiver(name: string, treat: (event: Arrived) => Treatment, delayMs = 0): Promise<Receiver> {
  const taken: Arrived[] = [];
  const statusOf: Record<Treatment, number> = { take: 200, refuse: 400, fail: 500, take_and_drop: 0, unavailable: 503 };
  const answer = (request: IncomingMessage, response: ServerResponse, body: string): void => {
    const { id, detail } = JSON.parse(body) as { id: string; detail: { request_id: string } };
    const event = { id, subject: detail.request_id };
    const treatment = treat(event);
    if (treatment === 'take' || treatment === 'take_and_drop') taken.push(event);
    if (treatment === 'take_and_drop') request.socket.destroy();
    else response.writeHead(statusOf[treatment]).end();
  };
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => void setTimeout(() => answer(request, response, Buffer.concat(chunks).toString('utf8')), delayMs));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { name, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, taken, close };
}

function configText(receivers: readonly Receiver[]): string {
  const names = receivers.map(({ name }) => name);
  return stringify({
    version: 1,
    controller: { name: 'Example Company', contact: 'privacy@example.com' },
    access: { api_keys: [{ name: 'tester', key: '${env:API_KEY}', verify: 'source' }] },
    events: {
      destinations: Object.fromEntries(receivers.map(({ name, url }) => [name, { kind: 'http', endpoint: `${url}/`, auth: { kind: 'bearer', token: '${env:API_KEY}' }, allow_private_network: true, timeout_seconds: 2 }])),
      rules: { everything: { EventPattern: { source: ['quittance'] }, targets: names.slice(0, 5).map((name) => ({ id: name, destination: name })) } },
    },
    audit: { origin: 'example.com/quittance-test', checkpoint_seconds: 0.2 },
  });
}

test(`killed ${kills} times in mid-delivery, with a target down for an hour, a poison event, and a slow target beside fast ones: nothing is lost, nothing blocked, order kept`, { timeout: 300_000 }, async () => {
  const chance = createSeededRandom(seed);
  const flaky = chance.fork('flaky');
  let isDown = true;
  let poisoned: string | undefined;
  const receivers = [
    await startReceiver('fast', () => 'take'),
    await startReceiver('slow', () => 'take', 40),
    await startReceiver('flaky', () => (flaky.chance(0.7) ? 'take' : flaky.pick<Treatment>(['fail', 'take_and_drop']))),
    await startReceiver('down', () => (isDown ? 'unavailable' : 'take')),
    await startReceiver('poison', ({ id }) => {
      poisoned ??= id;
      return id === poisoned ? 'refuse' : 'take';
    }),
  ];
  const folder = testFolder();
  const configPath = join(folder.path, 'quittance.yaml');
  writeFileSync(configPath, configText(receivers));
  const environment = { API_KEY: apiKey, QUITTANCE_CONFIG: configPath, QUITTANCE_DATA_DIR: folder.path, QUITTANCE_PORT: '0', QUITTANCE_LOG_LEVEL: 'fatal' };
  let server: ChildServer = await startChild(environment);
  try {
    let made = 0;
    const open = async (): Promise<void> => {
      const answer = await call(server.url, '/v1/privacy-requests', { method: 'POST', body: JSON.stringify({ right: 'erasure', subject: { identifiers: [{ kind: 'user_id', value: `u-${made}` }] } }) });
      expect(answer.status).toBe(202);
      made += 1;
    };
    for (let killed = 0; killed < kills; killed += 1) {
      for (let at = 0; at < requestsMade / kills; at += 1) await open();
      await new Promise((resolve) => setTimeout(resolve, chance.int(400)));
      server.kill('SIGKILL');
      await server.ended;
      server = await startChild(environment);
    }
    const states = async (): Promise<readonly { name: string; waiting: number; dead: number }[]> => ((await call(server.url, '/v1/event-destinations')).body as unknown as { items: { name: string; waiting: number; dead: number }[] }).items;
    const settled = async (name: string, offsetMs: number): Promise<true | undefined> => {
      server.tell({ offsetMs, sweep: true });
      const state = (await states()).find((each) => each.name === name);
      return state !== undefined && state.waiting === 0 ? true : undefined;
    };
    // Nothing is connected, so each request goes to a person in the end.
    const withAPerson = async (): Promise<true | undefined> => {
      const { items } = (await call(server.url, '/v1/privacy-requests?limit=100')).body as unknown as { items: { status: string }[] };
      return items.filter((each) => each.status === 'escalated').length === made ? true : undefined;
    };
    await eventually('Every request is with a person', withAPerson, 90_000);
    // While one is down and one is slow, the others are done.
    for (const name of ['fast', 'slow', 'poison']) await eventually(`The end of the deliveries to ${name}`, () => settled(name, 0), 60_000);
    const downBefore = (await states()).find((each) => each.name === 'down');
    expect(downBefore).toMatchObject({ dead: 0 });
    expect(receivers[3]?.taken).toEqual([]);
    isDown = false;
    for (const name of ['down', 'flaky']) await eventually(`The end of the deliveries to ${name} after an hour`, () => settled(name, hourMs), 90_000);

    const events: { id: string; seq: number; subject: string }[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = (await call(server.url, `/v1/events?limit=200${cursor === '' ? '' : `&cursor=${cursor}`}`)).body as unknown as { items: { id: string; seq: number; subject: string }[]; next_cursor: string | null };
      events.push(...page.items);
      cursor = page.next_cursor;
    }
    const seqOf = new Map(events.map(({ id, seq }) => [id, seq]));
    const figures: Record<string, unknown>[] = [];
    for (const { name, taken } of receivers) {
      const first = new Map<string, Arrived>();
      for (const each of taken) if (!first.has(each.id)) first.set(each.id, each);
      const lost = events.filter(({ id }) => !first.has(id) && !(name === 'poison' && id === poisoned));
      expect(lost, `events that never came to ${name}`).toEqual([]);
      const last = new Map<string, number>();
      const disordered: string[] = [];
      for (const { id, subject } of first.values()) {
        const seq = seqOf.get(id) ?? -1;
        if (seq < (last.get(subject) ?? -1)) disordered.push(id);
        last.set(subject, seq);
      }
      expect(disordered, `events of one person that came to ${name} before an earlier one`).toEqual([]);
      const twice = taken.length - first.size;
      if (name !== 'flaky') expect(twice, `events that came to ${name} twice`).toBeLessThanOrEqual(kills * batch);
      figures.push({ name, events: events.length, arrived: first.size, twice, dead: (await states()).find((each) => each.name === name)?.dead });
    }
    expect(figures.map(({ name, dead }) => [name, dead])).toEqual([['fast', 0], ['slow', 0], ['flaky', 0], ['down', 0], ['poison', 1]]);
    expect(events.length).toBeGreaterThan(requestsMade * 4);
    process.stdout.write(`seed ${seed}, ${made} requests, ${kills} kills: ${JSON.stringify(figures)}\n`);
  } finally {
    server.kill('SIGKILL');
    await server.ended;
    for (const each of receivers) each.close();
    folder.remove();
  }
});
