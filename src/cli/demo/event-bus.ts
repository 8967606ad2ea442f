import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { compose, serviceNames, type Quittance } from '../../composition.ts';
import { provisionEventBridge } from '../../event-bridge.ts';
import { parseConfig, type SecretSources } from '../../platform/config/load.ts';
import type { ConfigDocument } from '../../platform/config/document.ts';
import { readSettings } from '../../platform/config/settings.ts';
import { createLog } from '../../platform/log.ts';
import { eventBridgeCredentials, startEventBridge, type EventBridgeSimulator } from '../../sandbox/eventbridge/index.ts';
import type { ExamplePerson } from '../../sandbox/example-people.ts';
import { plantExamplePeople, startSandbox, type Sandbox } from '../../sandbox/index.ts';
import { acceptedSchema, requestListSchema, requestSchema, taskListSchema } from '../api-schemas.ts';
import { connectApi, readAnswer, type ApiClient } from '../api-client.ts';
import { requestPath } from '../request-id.ts';
import { sandboxEnvironment } from '../sandbox-environment.ts';
import { renderElapsed } from '../terminal/progress.ts';
import { outcomeTable } from '../terminal/task-lines.ts';
import { signWebhook } from './demo-people.ts';
import type { Expectations } from './expectations.ts';

/** What playing the event bus needs. */
export interface EventBusOptions {
  /** Where the databases of both installations go; made. */
  readonly folder: string;
  readonly expect: Expectations['expect'];
  readonly say: (...lines: readonly string[]) => void;
  readonly signal: AbortSignal;
}

const exampleOf = (name: string): string => fileURLToPath(new URL(`../../../examples/06-event-bus/${name}.yaml`, import.meta.url));
/** The addresses that the examples have, which the demo's own take the place of. */
const [profilesAddress, busAddress] = ['http://127.0.0.1:4001', 'http://127.0.0.1:4566'];
const apiKey = 'demo-api-key';
const segmentProfiles = z.object({ profiles: z.array(z.unknown()) });
const declaredRules = z.object({ items: z.array(z.object({ identifiers: z.array(z.string()) })) });
const lookMs = 100;
const looksMax = 600;

const hedy: ExamplePerson = { name: 'Hedy Example', email: 'hedy@example.com', phone: '+12025550188', userId: 'user_hedy', stripeCustomerId: 'cus_ExampleHedy', behaviour: 'every vendor does as it says' };
/** What identifies her, for who searches Quittance's files for it. */
export const eventBusPeople: readonly string[] = [hedy.name, hedy.email, hedy.phone, hedy.userId, hedy.stripeCustomerId];

/** Two installations, the event bus between them, and the vendors. */
interface EventBusWorld {
  readonly sandbox: Sandbox;
  readonly bus: EventBridgeSimulator;
  readonly billing: ApiClient;
  readonly profiles: ApiClient;
  readonly config: ConfigDocument;
  readonly secrets: SecretSources;
  readonly intakeSecret: string;
  readonly close: () => Promise<void>;
}

/** Starts the vendors, the event bus, the profile service and billing, whose rule runs at the bus. */
async function startEventBusWorld(folder: string): Promise<EventBusWorld> {
  const stops: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const stop of stops) await stop();
  };
  const start = async (name: string, text: string, secrets: SecretSources): Promise<Quittance> => {
    const dataDir = join(folder, name);
    mkdirSync(dataDir, { recursive: true });
    const running = await compose({ settings: readSettings({ QUITTANCE_DATA_DIR: dataDir, QUITTANCE_PORT: '0' }), config: parseConfig(text, exampleOf(name)), services: serviceNames, log: createLog('silent'), secrets });
    stops.unshift(running.stop);
    return running;
  };
  try {
    const sandbox = await startSandbox();
    stops.unshift(sandbox.close);
    const bus = await startEventBridge();
    stops.unshift(bus.close);
    bus.seed({ account: '123456789012', region: 'eu-central-1' });
    plantExamplePeople(sandbox, [hedy]);
    sandbox.segment.seed({ account: { stage_ms: 500 } });
    const intakeSecret = `whsec_${randomBytes(32).toString('base64')}`;
    const environment = { ...sandboxEnvironment(sandbox), INTAKE_SECRET: intakeSecret, API_KEY: apiKey, PROFILES_TOKEN: 'demo-profiles-token', AWS_KEY_ID: eventBridgeCredentials.id, AWS_SECRET: eventBridgeCredentials.secret };
    const secrets: SecretSources = { environment, readFile: () => '' };
    const profiles = await start('profiles', readFileSync(exampleOf('profiles'), 'utf8'), secrets);
    const text = readFileSync(exampleOf('billing'), 'utf8').replaceAll(profilesAddress, profiles.url ?? '').replaceAll(busAddress, bus.url);
    const config = parseConfig(text, exampleOf('billing'));
    const billing = await start('billing', text, secrets);
    const connect = (server: Quittance): ApiClient => connectApi(server.url ?? '', () => apiKey, globalThis.fetch);
    return { sandbox, bus, billing: connect(billing), profiles: connect(profiles), config, secrets, intakeSecret, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Waits for something, at most a minute; answers undefined when it did not come. */
async function until<Value>(signal: AbortSignal, ask: () => Promise<Value | undefined>): Promise<Value | undefined> {
  for (let look = 0; look < looksMax; look += 1) {
    signal.throwIfAborted();
    const found = await ask();
    if (found !== undefined) return found;
    await pause(lookMs);
  }
  return undefined;
}

/** Asks billing to forget the person, by a signed webhook, and answers the request's id. */
async function askBilling(world: EventBusWorld): Promise<string> {
  const body = JSON.stringify({ email: hedy.email, stripe_customer_id: hedy.stripeCustomerId });
  return readAnswer(acceptedSchema, await world.billing.post('/v1/intake/compliance', JSON.parse(body), signWebhook(world.intakeSecret, body, Date.now()))).id;
}

/** Waits until a request is closed, and answers how it ended. */
async function untilClosed(api: ApiClient, id: string, signal: AbortSignal): Promise<string | undefined> {
  return until(signal, async () => readAnswer(requestSchema, await api.get(requestPath(id))).verdict ?? undefined);
}

/** The job that came to the profile service by the event bus, once there is one. */
async function untilProfileJob(world: EventBusWorld, signal: AbortSignal): Promise<string | undefined> {
  return until(signal, async () => readAnswer(requestListSchema, await world.profiles.get('/v1/privacy-requests')).items[0]?.id);
}

/** Plays the fourth pipeline: redacted at Stripe, told by the event bus, anonymised across channels; and checks what came of it. */
export async function playEventBus({ folder, expect, say, signal }: EventBusOptions): Promise<void> {
  const startedAt = Date.now();
  const tell = (what: string): void => say(`  ${renderElapsed(Date.now() - startedAt).padStart(10)}  ${what}`);
  const world = await startEventBusWorld(folder);
  try {
    const provision = async (): Promise<number> => {
      let changes = 0;
      await provisionEventBridge({ config: world.config, secrets: world.secrets, wait: (ms) => Promise.resolve(world.bus.advance(ms)), onStep: () => undefined }, async (difference) => {
        changes = difference.changes.filter((each) => each.action !== 'unchanged').length;
        return true;
      }, { rewriteSecrets: false });
      return changes;
    };
    const made = await provision();
    tell(`quittance eventbridge provision: ${made} things made at Amazon EventBridge: connection, API destination, rule, target, dead-letter queue, role`);
    expect('EventBridge is provisioned from the same rules, and a second time changes nothing', made > 0 && (await provision()) === 0);
    const id = await askBilling(world);
    const verdict = await untilClosed(world.billing, id, signal);
    tell(`billing: the customer is redacted at Stripe, and that was seen (${verdict ?? 'not closed'})`);
    expect('Billing closes its request, once Stripe was read back', verdict === 'fulfilled' || verdict === 'fulfilled_with_retention', verdict);
    await world.bus.settled();
    const job = await untilProfileJob(world, signal);
    const jobVerdict = job === undefined ? undefined : await untilClosed(world.profiles, job, signal);
    tell('profile service: called by the API destination, and done');
    if (job !== undefined) say(...outcomeTable(readAnswer(taskListSchema, await world.profiles.get(`${requestPath(job)}/tasks`)).items));
    expect('The rule at EventBridge matches the completion, and its API destination calls the profile service', job !== undefined);
    expect('The profile service closes its job, with what the vendors keep by name', jobVerdict === 'fulfilled_with_retention', jobVerdict);
    const left = JSON.stringify([world.sandbox.twilio.dump(), segmentProfiles.parse(world.sandbox.segment.dump()).profiles]);
    expect('Nothing of the person is left at Twilio and Segment, by the simulators themselves', ![hedy.email, hedy.phone, hedy.name].some((mark) => left.includes(mark)));
    const events = JSON.stringify(await world.billing.get('/v1/events?limit=200'));
    expect('No event that billing keeps has an identifier of the person', events.includes('gdpr.deletion.complete') && !eventBusPeople.some((mark) => events.includes(mark)));
    const { items: rules } = declaredRules.parse(await world.billing.get('/v1/event-rules'));
    expect('What of the person leaves is declared by the rule: the Stripe customer, and no address or number', JSON.stringify(rules.map((each) => each.identifiers)) === '[["stripe_customer"]]');
  } finally {
    await world.close();
  }
}
