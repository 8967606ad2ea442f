import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { compose, serviceNames, type Quittance } from '../../src/composition.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLog } from '../../src/platform/log.ts';
import { startSandbox, type Sandbox } from '../../src/sandbox/index.ts';
import { sharedPostgres, type DatabaseKind } from './databases.ts';
import { apiKey, call, eventually, sendWebhook, testConfig, testEnvironment, testFolder, type ConfigChanges } from './quittance.ts';

/** A task as the API shows it. */
export interface TaskView {
  readonly id: string;
  readonly system: string;
  readonly status: string;
  readonly outcome: string | null;
  readonly confirmation: string | null;
  readonly error_code: string | null;
  readonly identifier: { readonly kind: string };
  readonly residue: readonly { readonly what: string; readonly why: string }[];
  readonly proof: Readonly<Record<string, unknown>>;
  readonly revisit_at: string | null;
  readonly attempts: number;
}

/** A whole Quittance in this process, listening. Stopping it leaves its folder, which goes when the test is over. */
export interface Running extends Quittance {
  readonly url: string;
  readonly folder: string;
}

/** How a Quittance is started other than usual. */
export interface StartOptions {
  readonly clock?: Clock;
  readonly logLevel?: string;
  readonly logTo?: { readonly write: (line: string) => void };
  /** The folder of one that was stopped, to go on with what it holds. */
  readonly folder?: string;
  /** The URLs of the two databases of a bench on PostgreSQL; new ones when absent. */
  readonly databases?: { readonly main: string; readonly audit: string };
  /** For one that the whole file shares; others are stopped after the test that started them, since each takes its share of the processor. */
  readonly isShared?: boolean;
}

/** What a test file works with: one sandbox, emptied before each test, and as many Quittances as it starts. */
export interface Bench {
  readonly sandbox: () => Sandbox;
  readonly start: (changes?: ConfigChanges, options?: StartOptions) => Promise<Running>;
}

/** The settings that put a Quittance on databases of its own on PostgreSQL. */
async function postgresEnvironment(given: StartOptions['databases']): Promise<Readonly<Record<string, string>>> {
  const server = sharedPostgres();
  return {
    QUITTANCE_DATABASE_URL: given?.main ?? (await server.createDatabase('main')),
    QUITTANCE_AUDIT_DATABASE_URL: given?.audit ?? (await server.createDatabase('audit')),
    QUITTANCE_MASTER_KEY: randomBytes(32).toString('base64'),
  };
}

/** Sets a test file or suite up: the sandbox before all tests, everything stopped after them. On PostgreSQL a folder stands for a pair of databases. */
export function useBench(kind: DatabaseKind = 'embedded'): Bench {
  let sandbox: Sandbox | undefined;
  const databasesOf = new Map<string, Readonly<Record<string, string>>>();
  const stops = { test: [] as (() => Promise<void>)[], file: [] as (() => Promise<void>)[] };
  const stopAll = async (some: (() => Promise<void>)[]): Promise<void> => {
    for (const stop of some.splice(0)) await stop();
  };
  const current = (): Sandbox => {
    if (sandbox === undefined) throw new Error('The sandbox is started before all tests');
    return sandbox;
  };
  beforeAll(async () => {
    sandbox = await startSandbox({ ports: { stripe: 0, twilio: 0, segment: 0, mail: 0, smtp: 0 } });
  });
  beforeEach(() => {
    for (const simulator of [current().stripe, current().twilio, current().segment]) simulator.reset();
    current().stripe.seed({ account: { requests_per_second: 1000 } });
    current().segment.seed({ account: { polls_per_stage: 1 } });
  });
  afterEach(() => stopAll(stops.test));
  afterAll(async () => {
    await stopAll(stops.file);
    await current().close();
  });
  return {
    sandbox: current,
    start: async (changes = {}, options = {}) => {
      const folder = options.folder === undefined ? testFolder() : { path: options.folder, remove: () => undefined };
      const environment = testEnvironment(current());
      const databases = kind === 'embedded' ? {} : (databasesOf.get(folder.path) ?? (await postgresEnvironment(options.databases)));
      databasesOf.set(folder.path, databases);
      const quittance = await compose({
        settings: readSettings({ QUITTANCE_DATA_DIR: folder.path, QUITTANCE_PORT: '0', ...databases }),
        config: testConfig(current(), changes),
        services: serviceNames,
        log: createLog(options.logLevel ?? 'fatal', options.logTo),
        secrets: { environment, readFile: () => '' },
        ...(options.clock === undefined ? {} : { clock: options.clock }),
      });
      let stopping: Promise<void> | undefined;
      const stop = (): Promise<void> => (stopping ??= quittance.stop());
      // The newest first, so that a folder goes after everything that worked in it.
      stops[options.isShared === true ? 'file' : 'test'].unshift(async () => {
        await stop();
        folder.remove();
      });
      return { ...quittance, stop, url: quittance.url ?? '', folder: folder.path };
    },
  };
}

/** The tasks of a request. */
export async function tasksOf(url: string, id: string): Promise<readonly TaskView[]> {
  return (await call(url, `/v1/privacy-requests/${id}/tasks`)).body['items'] as unknown as readonly TaskView[];
}

/** Sends a request of a verified person and answers its id. */
export async function openRequest(url: string, body: Readonly<Record<string, string>> = { email: ada.email, phone: ada.phone, stripe_customer_id: ada.customer }): Promise<string> {
  const accepted = await sendWebhook(url, body);
  if (accepted.status !== 202) throw new Error(`The request was answered ${accepted.status}`);
  return String(accepted.body['id']);
}

/** Waits until a request is closed and its certificate issued, and gives the certificate's bytes. */
export async function certificateOf(url: string, id: string): Promise<Buffer> {
  return eventually('The certificate', async () => {
    const response = await fetch(`${url}/v1/privacy-requests/${id}/certificate`, { headers: { authorization: `Bearer ${apiKey}` } });
    return response.status === 200 ? Buffer.from(await response.arrayBuffer()) : undefined;
  });
}

/** Waits until nothing of a request's person is left in the vault. */
export async function untilShredded(url: string, id: string): Promise<void> {
  await eventually('The shredding', async () => {
    const { body } = await call(url, `/v1/privacy-requests/${id}/timeline`);
    return (body['items'] as unknown as { type: string }[]).some((each) => each.type === 'request.shredded') ? true : undefined;
  });
  const plan = await call(url, `/v1/privacy-requests/${id}/plan`);
  if ((plan.body['identifiers'] as unknown as unknown[]).length > 0) throw new Error('The request says shredded and still has identifiers');
}

/** A clock that a test moves forward; otherwise it runs as the machine's does. */
export function movableClock(): Clock & { readonly advance: (ms: number) => void } {
  let skew = 0;
  return {
    now: () => Date.now() + skew,
    advance: (ms) => {
      skew += ms;
    },
  };
}

/** The person that tests plant. */
export const ada = { email: 'ada@example.com', phone: '+12025550111', customer: 'cus_ada000001', userId: 'user-ada' } as const;

/** Plants Ada at all three vendors. */
export function plantAda(sandbox: Sandbox, change: { readonly email?: string; readonly phone?: string; readonly userId?: string; readonly customers?: readonly Record<string, unknown>[] } = {}): void {
  const { email = ada.email, phone = ada.phone, userId = ada.userId } = change;
  sandbox.stripe.seed({
    customers: change.customers ?? [{ id: ada.customer, email, name: 'Ada Example', phone, payment_methods: [{ last4: '4242' }], tax_ids: [{ type: 'eu_vat', value: 'DE123456789' }] }],
  });
  sandbox.twilio.seed({
    messages: [
      { to: phone, from: '+12025550190', body: 'hello' },
      { to: '+12025550190', from: phone, body: 'hi' },
    ],
  });
  sandbox.segment.seed({ profiles: [{ external_ids: [{ type: 'user_id', id: userId }, { type: 'email', id: email }, { type: 'phone', id: phone }], traits: { plan: 'pro' } }] });
}

/** How often each change was really made at the simulators, by type. */
export function effectsOf(sandbox: Sandbox): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of [...sandbox.stripe.effects, ...sandbox.twilio.effects, ...sandbox.segment.effects]) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}
