import { generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { documentSchema } from '../../platform/config/document.ts';
import { checkEventSources } from './event-sources.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const account = JSON.stringify({ client_email: 'reader@shop.example', private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) });
const secrets = { environment: { SHORT: 'too short', LONG: 'a secret long enough for this', ACCOUNT: account }, readFile: () => '' };
const pubsub = (credentials: string): object => ({ sources: { pulled: { consume: { kind: 'pubsub', subscription: 'projects/shop/subscriptions/privacy-requests', credentials } } } });
const kafka = (more: object = {}): object => ({ sources: { topic: { consume: { kind: 'kafka', topic: 'privacy-requests', ...more } } } });
const profiles = (more: object = {}): object => ({
  connections: { twilio: { connector: 'twilio' } },
  destinations: { profiles: { token: '${env:LONG}', identifier: 'stripe_customer', systems: ['twilio'], ...more } },
});
const check = (part: object, kafkaBrokers?: readonly string[]): void =>
  checkEventSources(documentSchema.parse({ version: 1, controller: { name: 'Shop', contact: 'privacy@shop.example' }, ...part }), { secrets, kafkaBrokers });

it.each<[string, object, string]>([
  ['credentials that are none', pubsub('${env:LONG}'), '/sources/pulled/consume/credentials must be the JSON key'],
  ['credentials that are not there', pubsub('${env:ABSENT}'), 'ABSENT'],
  ['no brokers', kafka(), '/sources/topic/consume/brokers is missing'],
  ['a password that is not there', kafka({ brokers: ['kafka.example:9092'], sasl: { mechanism: 'PLAIN', username: 'reader', password: '${env:ABSENT}' } }), 'ABSENT'],
  ['a token that could be guessed', profiles({ token: '${env:SHORT}' }), '/destinations/profiles/token must have at least 16'],
  ['a system that is no connection', profiles({ systems: ['twilio', 'nobody'] }), '/destinations/profiles/systems/1 is not the name of a connection'],
])('%s is refused at the start, without its value', (_what, part, detail) => {
  expect(() => check(part)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', detail: expect.stringContaining(detail) as string }) as Error);
  expect(() => check(part)).not.toThrow(/too short|long enough/u);
});

it('what is whole is accepted, and brokers may be those of the process', () => {
  for (const part of [pubsub('${env:ACCOUNT}'), kafka({ brokers: ['kafka.example:9092'] }), profiles(), {}]) expect(() => check(part)).not.toThrow();
  expect(() => check(kafka(), ['kafka.example:9092'])).not.toThrow();
});
