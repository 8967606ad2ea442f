import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { compose, serviceNames, type Quittance } from '../../src/composition.ts';
import { provisionEventBridge } from '../../src/event-bridge.ts';
import { parseConfig } from '../../src/platform/config/load.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLog } from '../../src/platform/log.ts';
import { eventBridgeCredentials, startEventBridge, type EventBridgeSimulator } from '../../src/sandbox/eventbridge/index.ts';
import { apiKey, call, eventually, testFolder, untilStatus } from '../support/quittance.ts';
import { createExpectations } from '../../src/cli/demo/expectations.ts';
import { playEventBus } from '../../src/cli/demo/event-bus.ts';

interface Delivered {
  readonly method: string;
  readonly path: string;
  readonly contentType: string | undefined;
  readonly authorization: string | undefined;
  readonly body: string;
}

let bus: EventBridgeSimulator;
let receiver: Server;
const closing: (() => Promise<unknown> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** Every kind of shape that a rule can give an event, but for what differs by nature: the event's id, which EventBridge makes anew, and the request's ids and times. */
const rules = (path: string): Record<string, unknown> => {
  const target = (id: string, rest: object): object => ({ id, destination: 'receiver', PathParameterValues: [path, id], ...rest });
  const about = { verdict: '$.detail.verdict', tasks: '$.detail.counts', who: '$.detail.identifiers.user_id', first: '$.detail.identifiers.user_id[0]', none: '$.detail.nothing', rule: '$.detail-type' };
  return {
    shaped: {
      EventPattern: { source: [{ prefix: 'comp' }], 'detail-type': ['erasure.completed'], detail: { verdict: [{ 'anything-but': ['refused'] }], counts: { tasks: [{ numeric: ['>=', 0] }] } } },
      identifiers: ['user_id'],
      targets: [
        target('object', { InputPathsMap: about, InputTemplate: '{"profile_id":"<first>","all":<who>,"counts":<tasks>,"missing":<none>,"verdict":<verdict>,"by":"<aws.events.rule-name>"}' }),
        target('text', { InputPathsMap: about, InputTemplate: '"<rule> ended as <verdict>"' }),
        target('constant', { InputTemplate: '{"profile_id":1,"action":"anonymize","identifiers":{"email":null,"phone":null}}' }),
      ],
    },
  };
};

async function start(runsHere: boolean): Promise<{ readonly quittance: Quittance; readonly text: string; readonly secrets: { environment: Record<string, string>; readFile: () => string } }> {
  const { port } = receiver.address() as AddressInfo;
  const folder = testFolder();
  closing.push(() => folder.remove());
  const text = stringify({
    version: 1,
    controller: { name: 'Example Company', contact: 'privacy@example.com' },
    access: { api_keys: [{ name: 'tester', key: '${env:API_KEY}', verify: 'source' }] },
    connections: { apps: { connector: 'subscribers', identifiers: ['user_id'] } },
    events: {
      source: 'compliance.service',
      destinations: {
        receiver: { kind: 'http', endpoint: `http://127.0.0.1:${port}/*/events/*`, auth: { kind: 'api_key', name: 'Authorization', value: '${env:TOKEN}' }, allow_private_network: true },
        erasing: { kind: 'webhook', url: `http://127.0.0.1:${port}/erasing`, secret: '${env:WEBHOOK}', allow_private_network: true, acknowledges_with: '${env:ACK}' },
      },
      rules: {
        ...rules('same'),
        'erase-here': { EventPattern: { 'detail-type': ['erasure.requested'] }, identifiers: ['user_id'], targets: [{ id: 'erasing', destination: 'erasing', acknowledgement: 'required' }] },
      },
      eventbridge: { region: 'eu-central-1', account: '123456789012', runs_rules: !runsHere, endpoint: bus.url, access_key: { id: '${env:AWS_ID}', secret: '${env:AWS_SECRET}' } },
    },
    audit: { origin: 'example.com/quittance-test', checkpoint_seconds: 0.2 },
  });
  const environment = { API_KEY: apiKey, TOKEN: 'Bearer receiver-token', WEBHOOK: `whsec_${Buffer.from('a-secret-of-at-least-24-bytes!!').toString('base64')}`, ACK: 'ack-token-of-erasing', AWS_ID: eventBridgeCredentials.id, AWS_SECRET: eventBridgeCredentials.secret };
  const secrets = { environment, readFile: () => '' };
  const quittance = await compose({ settings: readSettings({ QUITTANCE_DATA_DIR: folder.path, QUITTANCE_PORT: '0' }), config: parseConfig(text, 'test configuration'), services: serviceNames, log: createLog('silent'), secrets });
  closing.push(() => quittance.stop());
  return { quittance, text, secrets };
}

test('the same rule file gives the same deliveries, byte for byte, whether it runs here or on EventBridge', { timeout: 120_000 }, async () => {
  bus = await startEventBridge();
  closing.push(() => bus.close());
  bus.seed({ account: '123456789012', region: 'eu-central-1' });
  let delivered: Delivered[] = [];
  let asked: string[] = [];
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      if (request.url === '/erasing') asked.push((JSON.parse(body) as { id: string }).id);
      else delivered.push({ method: request.method ?? '', path: request.url ?? '', contentType: request.headers['content-type'], authorization: request.headers.authorization, body });
      response.writeHead(200).end();
    });
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  closing.push(() => void receiver.close());

  const play = async (runsHere: boolean): Promise<readonly Delivered[]> => {
    [delivered, asked] = [[], []];
    const { quittance, text, secrets } = await start(runsHere);
    const url = quittance.url ?? '';
    if (!runsHere) {
      await provisionEventBridge({ config: parseConfig(text, 'test configuration'), secrets, wait: async (ms) => bus.advance(ms), onStep: () => undefined }, async () => true, { rewriteSecrets: false });
      bus.advance(60_000);
    }
    const { id } = (await call(url, '/v1/privacy-requests', { method: 'POST', body: JSON.stringify({ right: 'erasure', subject: { identifiers: [{ kind: 'user_id', value: 'u-"4711"\\ü' }] } }) })).body as unknown as { id: string };
    const event = await eventually('The question', async () => asked[0]);
    expect((await fetch(`${url}/v1/events/${event}/acknowledgements`, { method: 'POST', headers: { authorization: 'Bearer ack-token-of-erasing', 'content-type': 'application/json' }, body: '{"outcome":"erased"}' })).status).toBe(200);
    await untilStatus(url, id, ['closed']);
    await eventually('The deliveries', async () => {
      await bus.settled();
      return delivered.length === 3 ? true : undefined;
    });
    return delivered.toSorted((one, other) => one.path.localeCompare(other.path));
  };
  const here = await play(true);
  const there = await play(false);
  expect(here.map(({ path }) => path)).toEqual(['/same/events/constant', '/same/events/object', '/same/events/text']);
  expect(there).toEqual(here);
  expect(here.find(({ path }) => path.endsWith('constant'))?.body).toBe('{"profile_id":1,"action":"anonymize","identifiers":{"email":null,"phone":null}}');
});

test('redacted at Stripe, told over the event bus, anonymised across channels: the demo’s fourth pipeline sees all that it must', { timeout: 180_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'quittance-event-bus-'));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  const { all, expect: note } = createExpectations();
  await playEventBus({ folder, expect: note, say: () => undefined, signal: AbortSignal.timeout(170_000) });
  expect(all.filter((each) => !each.seen)).toEqual([]);
  expect(all.length).toBeGreaterThan(6);
});
