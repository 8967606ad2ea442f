import { createHmac, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Response as Injected } from 'light-my-request';
import type { AuditEntry } from '../../../src/contract/audit-entry.ts';
import { createAuthenticate } from '../../../src/modules/access/index.ts';
import type { RequestId } from '../../../src/contract/ids.ts';
import { createFailedProofs, createProofVerification, createVault, createVerification, type Vault, type Verification } from '../../../src/modules/identity/index.ts';
import { createAcceptRequest, createAskAboutProof, createIntakePressure, createProfiles, createRefusals, createSources, createTakePush, createVerifySubject, registerIntakeRoutes, registerProfileRoutes, type AcceptRequest, type ProofService, type Profiles, type Refusals } from '../../../src/modules/intake/index.ts';
import { codeOccasion, createNotify } from '../../../src/modules/notifications/index.ts';
import { createLawClocks, createOpenRequest, createRequestActions, findRequest, type RequestTables } from '../../../src/modules/requests/index.ts';
import { documentSchema } from '../../../src/platform/config/document.ts';
import { createLocalKeyProvider } from '../../../src/platform/crypto/key-provider.ts';
import { loadSystemKeys, type SystemKeys } from '../../../src/platform/crypto/system-keys.ts';
import type { Database } from '../../../src/platform/db/database.ts';
import { openEmbedded } from '../../../src/platform/db/embedded.ts';
import { migrate } from '../../../src/platform/db/migrate.ts';
import { createHttpServer, type HttpServer } from '../../../src/platform/http/server.ts';
import { createLog } from '../../../src/platform/log.ts';
import { systemRandom } from '../../../src/platform/random.ts';
import { Secret } from '../../../src/platform/secret.ts';

export const webhookSecret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
export const apiKey = 'test-key-of-the-support-desk';
export const unverifiedApiKey = 'test-key-of-the-web-form';
export const busToken = 'test-token-of-the-event-bus';
export const profilesToken = 'test-token-of-the-profiles';

/** The intake over a database in memory, with the real modules around it and a clock that a test moves. */
export interface IntakeWorld {
  readonly app: HttpServer;
  readonly database: Database;
  readonly vault: Vault;
  readonly verification: Verification;
  readonly systemKeys: SystemKeys;
  readonly clock: { now: () => number; advance: (ms: number) => void };
  /** Asks the verification service about a request's proof, as its job does. */
  readonly askAboutProof: (requestId: RequestId) => Promise<void>;
  readonly acceptRequest: AcceptRequest;
  readonly refusals: Refusals;
  /** The occasions of what the officer was told. */
  readonly officerAlerts: string[];
  readonly profiles: Profiles;
  /** What stands in for the services of others. */
  readonly services: { askProof: ProofService; judgeCode: (code: string) => 'right' | 'wrong' | 'unknown' };
  /** Entries and jobs as they were handed over; those of a transaction that failed are among them. */
  readonly entries: AuditEntry[];
  readonly jobs: { name: string; data: Record<string, string> }[];
  readonly logged: string[];
  /** The number of rows of every table that is not a key, a limit or a migration. */
  readonly countRows: () => Promise<Record<string, number>>;
  /** Makes the next opening of a request fail, after its rows were written. */
  readonly failNextOpening: () => void;
  readonly close: () => Promise<void>;
}

const config = documentSchema.parse({
  version: 1,
  controller: { name: 'Shop', contact: 'privacy@shop.example' },
  sources: {
    shop: { secret: '${env:SHOP}', verify: 'source' },
    form: { secret: '${env:SHOP}' },
    texts: { secret: '${env:SHOP}', verify: 'sms_code' },
    proven: { secret: '${env:SHOP}', verify: 'proof' },
    crm: { scheme: 'hmac-sha256-hex', secret: '${env:CRM}', verify: 'source' },
    slow: { secret: '${env:SHOP}', verify: 'source', rate_limit_per_minute: 2 },
    bus: { scheme: 'bearer', secret: '${env:BUS}', verify: 'source' },
    keyed: { scheme: 'api-key', header: 'X-Bus-Key', secret: '${env:BUS}', verify: 'source' },
    pushed: { scheme: 'pubsub-push', jwks_url: 'https://keys.example/certs', audience: 'https://privacy.shop.example/push', service_account: 'push@shop.example', verify: 'source' },
  },
  destinations: { profiles: { token: '${env:PROFILES}', identifier: 'stripe_customer', systems: ['twilio', 'segment'], rate_limit_per_minute: 120 } },
});

const noKeys = async (): Promise<Response> => {
  throw new Error('no JWT source here');
};

/** What differs from world to world. */
export interface WorldOptions {
  readonly smsCodesBy?: 'us' | 'service';
  readonly failedProofsPerHour?: number;
  /** Where the keys of JWT sources come from. */
  readonly fetchKeys?: () => Promise<Response>;
}

export async function openIntakeWorld(open: () => Promise<Database> = openEmbedded, options: WorldOptions = {}): Promise<IntakeWorld> {
  const database = await open();
  await migrate(database, 'main');
  let now = Date.parse('2026-11-21T10:00:00Z');
  const clock = { now: () => now, advance: (ms: number) => (now += ms) };
  const keyProvider = createLocalKeyProvider(randomBytes(32));
  const systemKeys = await loadSystemKeys(database, keyProvider);
  const entries: AuditEntry[] = [];
  const record = async (_tx: unknown, entry: AuditEntry): Promise<void> => void entries.push(entry);
  const jobs: IntakeWorld['jobs'] = [];
  const queue = { send: async (_tx: unknown, kind: { name: string }, data: Record<string, string>) => void jobs.push({ name: kind.name, data }) };
  const vault = createVault({ database, keyProvider, systemKeys, clock });
  const notify = createNotify({ clock, jobs: queue, officerHooks: [] });
  const failedProofs = createFailedProofs({ clock, perHour: options.failedProofsPerHour ?? 1000 });
  const proofs = createProofVerification({
    database,
    systemKeys,
    clock,
    vault,
    failedProofs,
    record,
    askLater: (tx, requestId) => queue.send(tx, { name: 'proof-ask' }, { request_id: requestId }),
    proofsMax: 5,
  });
  const verification = createVerification({
    systemKeys,
    clock,
    proofs,
    failedProofs,
    smsCodesBy: options.smsCodesBy ?? 'us',
    record,
    codeMinutes: 30,
    codeAttempts: 5,
    sendCode: (tx, requestId, number) => notify(tx, { requestId, template: 'verification_code', recipient: 'subject', occasion: codeOccasion(number) }),
  });
  let failing = false;
  const clocks = createLawClocks(config.clocks, 'gdpr');
  const openRequest = createOpenRequest({
    clock,
    random: systemRandom,
    jobs: queue,
    vault,
    record,
    startVerification: verification.start,
    beforeCommit: () => {
      if (!failing) return;
      failing = false;
      throw new Error('the process ran out of something');
    },
    clocks,
    notify: async () => undefined,
    unverifiedDays: 14,
  });
  const actions = createRequestActions({ database, clock, jobs: queue, record, clocks, notify: async () => undefined });
  const logged: string[] = [];
  const log = createLog('trace', { write: (line) => void logged.push(line) });
  const app = await createHttpServer(log, '0.0.0');
  const services: IntakeWorld['services'] = {
    askProof: async () => {
      throw new Error('nothing is asked here');
    },
    judgeCode: () => 'unknown',
  };
  const askAboutProof = createAskAboutProof({
    database,
    random: systemRandom,
    log,
    vault,
    proofs,
    failedProofs,
    service: (question) => services.askProof(question),
    isWaiting: async (id) => (await findRequest(database.read<RequestTables>(), id))?.status === 'verifying',
    subjectVerified: actions.subjectVerified,
  });
  const acceptRequest = createAcceptRequest({ database, clock, systemKeys, vault, openRequest, giveAnotherProof: proofs.giveAnother, defaultCountry: 'US' });
  const officerAlerts: string[] = [];
  const refusals = createRefusals({ database, clock, log, alertOfficer: async (_tx, occasion) => void officerAlerts.push(occasion) });
  registerIntakeRoutes(app, {
    database,
    clock,
    sources: createSources(config.sources, { environment: { SHOP: webhookSecret, CRM: 'a secret of the crm, long enough', BUS: busToken }, readFile: () => '' }, options.fetchKeys ?? noKeys),
    authenticate: createAuthenticate([
      { name: 'desk', verify: 'source', key: new Secret(apiKey) },
      { name: 'web-form', verify: 'email_code', key: new Secret(unverifiedApiKey) },
    ]),
    pressure: createIntakePressure(),
    acceptRequest,
    takePush: createTakePush({ acceptRequest, refusals }),
    verifyByOperator: actions.verifyByOperator,
    verifySubject: createVerifySubject({ database, verification, judgeCode: async (_id, code) => services.judgeCode(code), subjectVerified: actions.subjectVerified }),
  });
  const profilesConfig = config.destinations.profiles;
  if (profilesConfig === undefined) throw new Error('This world has a destination for profiles');
  const profiles = createProfiles(profilesConfig, { database, clock, systemKeys, vault, openRequest, progressOf: async () => ({ steps: [], verdict: null }), defaultCountry: 'US' });
  registerProfileRoutes(app, { database, profiles, token: new Secret(profilesToken), perMinute: profilesConfig.rate_limit_per_minute });
  await app.ready();
  const countRows = async (): Promise<Record<string, number>> => {
    const tables = ['privacy_request', 'request_key', 'subject_identity', 'verification', 'intake_replay', 'notification', 'audit_outbox'];
    const counts = await Promise.all(
      tables.map(async (table) => (await sql<{ n: number }>`SELECT count(*)::int AS n FROM ${sql.table(table)}`.execute(database.read())).rows[0]?.n ?? -1),
    );
    return Object.fromEntries(tables.map((table, index) => [table, counts[index] ?? -1]));
  };
  return {
    app,
    database,
    vault,
    verification,
    systemKeys,
    askAboutProof,
    acceptRequest,
    refusals,
    officerAlerts,
    profiles,
    services,
    clock,
    entries,
    jobs,
    logged,
    countRows,
    failNextOpening: () => {
      failing = true;
    },
    close: async () => {
      await app.close();
      await database.close();
    },
  };
}

/** The body, headers and address of a well signed message; what is given replaces a part, after the signing. */
export interface SentMessage {
  readonly source?: string;
  readonly id?: string;
  readonly body?: string | Buffer;
  /** Seconds from the world's clock. */
  readonly age?: number;
  readonly headers?: Record<string, string | undefined>;
  readonly sentBody?: string | Buffer;
}

let messages = 0;

export async function sendWebhook(world: IntakeWorld, message: SentMessage = {}): Promise<Injected> {
  messages += 1;
  const id = message.id ?? `msg_${messages}`;
  const timestamp = String(Math.floor(world.clock.now() / 1000) - (message.age ?? 0));
  const body = message.body ?? JSON.stringify({ email: 'ada@example.com' });
  const key = Buffer.from(webhookSecret.slice(6), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  const headers: Record<string, string | undefined> = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
    ...message.headers,
  };
  const given = Object.fromEntries(Object.entries(headers).filter((each): each is [string, string] => each[1] !== undefined));
  return world.app.inject({ method: 'POST', url: `/v1/intake/${message.source ?? 'shop'}`, headers: given, payload: message.sentBody ?? body });
}

export async function post(world: IntakeWorld, url: string, body: unknown, headers: Record<string, string> = {}): Promise<Injected> {
  return world.app.inject({ method: 'POST', url, headers: { 'content-type': 'application/json', ...headers }, payload: JSON.stringify(body) });
}
