import { destinationDefaults, makeEvents } from './composition/make-events.ts';
import { makeExports } from './composition/make-exports.ts';
import { makeInbound } from './composition/make-inbound.ts';
import { makeRecipients } from './composition/make-recipients.ts';
import { makeServer } from './composition/make-server.ts';
import { jobKinds, scheduleWork, startWork } from './composition/work.ts';
import { networkTransport, type Transport } from './connector-kit/index.ts';
import { connectors } from './connectors/registry.ts';
import type { AuditEntry } from './contract/audit-entry.ts';
import type { Identifier, IdentifierKind } from './contract/identifiers.ts';
import type { RequestId, TaskId } from './contract/ids.ts';
import { createAudit, type Audit, type AuditAlert } from './modules/audit/index.ts';
import { checkConnections, createConnections, type Connections } from './modules/connections/index.ts';
import { checkEvents, subscribersToCheck } from './modules/events/index.ts';
import {
  createFailedProofs,
  createMapping,
  createMasterKeyRotation,
  createProofVerification,
  createSuppressionLedger,
  createVault,
  createVerification,
  isNewInstallation,
  keysRewrap,
  normalise,
  type Mapping,
  type SuppressionLedger,
} from './modules/identity/index.ts';
import {
  checkEventSources,
  checkVerifyConfig,
  createAskAboutProof,
  createIntakePressure,
  createProofService,
  createSources,
  proofAsk,
  gdprKeys,
} from './modules/intake/index.ts';
import { codeOccasion, createMailer, createNoticeCatalogue, createNotificationSender, createNotify, createOfficerHooks, createRecipients, createTexter } from './modules/notifications/index.ts';
import {
  type BoundaryName,
  createAdvanceRequest,
  createCarryOutAnew,
  createNoticeFacts,
  createRunTask,
  freeLeases,
  hearOfJobs,
  type OrchestrationDeps,
  type OrchestrationTables,
  type Reconciled,
  reconcileVendorJobs,
  sweepDue,
  type Swept,
  wakeConnection,
} from './modules/orchestration/index.ts';
import { appealWaits, type ClockActionDeps, createClockReminders, createLawClocks, createRequestActions, createRequestNoticeFacts, findRequest, wakeUnderWay, type RequestTables } from './modules/requests/index.ts';
import { createRestrictions } from './modules/restrictions/index.ts';
import { isoTime, systemClock, type Clock } from './platform/clock.ts';
import type { ConfigDocument } from './platform/config/document.ts';
import { processSecretSources, resolveSecret, resolveSecrets, type SecretSources } from './platform/config/load.ts';
import type { Settings } from './platform/config/settings.ts';
import { keyProviderOf, operatorKeyOf } from './platform/crypto/installation-keys.ts';
import { createChangingKey, loadSystemKeys } from './platform/crypto/system-keys.ts';
import { migrate } from './platform/db/migrate.ts';
import type { Tx } from './platform/db/database.ts';
import { openDatabases, type Databases } from './platform/db/open-databases.ts';
import { Failure } from './platform/failure.ts';
import type { HttpServer } from './platform/http/server.ts';
import { startJobs } from './platform/jobs/jobs.ts';
import type { Log } from './platform/log.ts';
import { systemRandom, type Random } from './platform/random.ts';
import { Secret } from './platform/secret.ts';

/** What a process can do; `quittance serve` does all three unless told otherwise. */
export const serviceNames = ['http', 'worker', 'scheduler'] as const;
/** One of the things a process can do. */
export type ServiceName = (typeof serviceNames)[number];

/** What a process is composed of. */
export interface CompositionOptions {
  readonly settings: Settings;
  readonly config: ConfigDocument;
  readonly services: readonly ServiceName[];
  readonly log: Log;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly secrets?: SecretSources;
  /** Called at the named boundaries of the main job; tests kill the process there. */
  readonly boundary?: (name: BoundaryName) => void;
  /** The edges of the process, where a simulation stands in for the world. */
  readonly edges?: Partial<Edges>;
}

/** Where a process touches what is outside of it. */
export interface Edges {
  readonly openDatabases: (settings: Settings, log: Log) => Promise<Databases>;
  readonly startJobs: typeof startJobs;
  /** Carries the calls to the vendors. */
  readonly transport: Transport;
  readonly createMailer: typeof createMailer;
  /** Lets the HTTP server be reached, and gives its URL. */
  readonly listen: (app: HttpServer, settings: Settings) => Promise<string>;
}

/** A running process. */
export interface Quittance {
  /** Where it listens; undefined without the service `http`. */
  readonly url: string | undefined;
  /** The key that an embedded server makes for the command line of the same machine. */
  readonly operatorKey: Secret | undefined;
  readonly audit: Audit;
  readonly connections: Connections;
  readonly mapping: Mapping;
  readonly suppression: SuppressionLedger;
  /** Gives an identifier in normal form, as the ledger knows it. Fails with `IDENTIFIER_INVALID`. */
  readonly readIdentifier: (kind: IdentifierKind, text: string) => Identifier;
  /** Looks for everything due, at once; what the scheduler does every minute. */
  readonly sweep: () => Promise<Swept>;
  /** Asks the vendors for their jobs now, as the schedule does every quarter of an hour. */
  readonly reconcile: () => Promise<Reconciled>;
  /** Stops taking work, finishes or gives back what it holds, and closes the databases. */
  readonly stop: () => Promise<void>;
}

/** How long a stopping process waits for the steps it is in. */
const stopGraceMs = 30_000;
const hourMs = 3_600_000;

/**
 * Connections that wait to be taken. Node's 511 fill up when a thousand senders come at once to a server whose only thread is at the embedded
 * database; the kernel then resets those who wait too long. It takes no more than it is set up for (net.core.somaxconn, 4,096 by default).
 */
const backlogMax = 4096;

/** Listens on a socket. */
async function listen(app: HttpServer, settings: Settings): Promise<string> {
  await app.listen({ host: settings.host, port: settings.port, backlog: backlogMax });
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : settings.port;
  return `http://${settings.host}:${port}`;
}

/** Refuses a configuration that a start would refuse, without a database and without a call, and answers what leaves data behind. Fails with `CONFIG_INVALID`. */
export function checkConfig(config: ConfigDocument, settings: Settings, secrets: SecretSources): readonly string[] {
  checkVerifyConfig(config);
  checkEvents(config.events, secrets, destinationDefaults(settings));
  createLawClocks(config.clocks, config.requests.default_law);
  createNoticeCatalogue(config.notices);
  const findings = [...checkConnections({ connectors: { ...connectors, subscribers: subscribersToCheck }, secrets }, config.connections), ...createRecipients(config).findings];
  if (config.gdpr_request !== undefined) {
    gdprKeys(config.gdpr_request, secrets, globalThis.fetch);
    if (config.connections[config.gdpr_request.users] === undefined) throw new Failure('CONFIG_INVALID', '/gdpr_request/users is not the name of a connection');
  }
  createSources(config.sources, secrets, globalThis.fetch);
  checkEventSources(config, { secrets, kafkaBrokers: settings.kafkaBrokers });
  for (const [index, each] of config.access.api_keys.entries()) resolveSecret(each.key, `/access/api_keys/${index}/key`, secrets);
  if (config.mail !== undefined) resolveSecret(config.mail.smtp_url, '/mail/smtp_url', secrets);
  if (config.identity.proof_service !== undefined) createProofService(config.identity.proof_service, { clock: systemClock, secrets, transport: networkTransport });
  createOfficerHooks(config.alerts, { clock: systemClock, secrets });
  if (config.identity.sms !== undefined) resolveSecrets(config.identity.sms, '/identity/sms', secrets);
  return findings;
}

/** Brings both databases up to the newest migration; answers the names of those applied. */
export async function migrateAll(settings: Settings, log: Log): Promise<readonly string[]> {
  const databases = await openDatabases(settings, log);
  try {
    const main = await migrate(databases.main, 'main');
    const audit = await migrate(databases.audit, 'audit');
    return [...main.map((name) => `main/${name}`), ...audit.map((name) => `audit/${name}`)];
  } finally {
    await databases.close();
  }
}

/** Composes a process of all modules and starts its services. Reads like a table: this is the only file that knows every module. */
export async function compose(options: CompositionOptions): Promise<Quittance> {
  const { settings, config, log, services } = options;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const secrets = options.secrets ?? processSecretSources(process.env);
  checkVerifyConfig(config);
  const clocks = createLawClocks(config.clocks, config.requests.default_law);
  const isMailed = config.mail !== undefined && config.controller.dpo !== undefined;
  if (!isMailed && config.alerts.webhook === undefined && config.alerts.chat === undefined) log.warn('nobody is alerted when something waits for a person: set /mail and /controller/dpo, or /alerts');
  const edges: Edges = { openDatabases, startJobs, transport: networkTransport, createMailer, listen, ...options.edges };
  const databases = await edges.openDatabases(settings, log);
  const stops: (() => Promise<void>)[] = [databases.close];
  try {
    const { main: database } = databases;
    await migrate(database, 'main');
    await migrate(databases.audit, 'audit');
    const keyProvider = keyProviderOf(settings, await isNewInstallation(database));
    const systemKeys = await loadSystemKeys(database, keyProvider);
    const runs = (service: ServiceName): boolean => services.includes(service);
    const rewrapHere = keysRewrap(keyProvider.masterKeyId);
    const jobs = await edges.startJobs(database, [...jobKinds, rewrapHere], log, { schedules: runs('scheduler'), supervises: runs('scheduler') });

    const officerHooks = createOfficerHooks(config.alerts, { clock, secrets, transport: edges.transport });
    const notify = createNotify({ clock, jobs, officerHooks: officerHooks.all });
    // Once a day for each finding: ids and codes, as everything that leaves for the officer.
    const alertOfficer = (alert: AuditAlert): Promise<void> => {
      const finding = alert.kind === 'failed' ? `${alert.refusal.check}:${alert.refusal.seq ?? ''}` : '';
      const occasion = `${alert.kind}:${finding}:${isoTime(clock.now()).slice(0, 10)}`;
      return database.transaction((tx) => notify(tx, { requestId: null, template: 'dpo_audit_alert', recipient: 'dpo', occasion }));
    };
    const audit = await createAudit({ database, auditDatabase: databases.audit, signingKey: createChangingKey(database, keyProvider, 'audit-signing'), clock, jobs, log, config: config.audit, onAlert: alertOfficer });
    // Stopped in this order: first the work, then the writer of the log, which carries what the work recorded last.
    if (runs('worker')) stops.unshift(await audit.startWriter());
    stops.unshift(() => jobs.stop(stopGraceMs));
    const vault = createVault({ database, keyProvider, systemKeys, clock });
    const events = await makeEvents({ settings, config, secrets, database, clock, random, log, jobs, vault, transport: edges.transport, notify, onAcknowledged: (connection, eventId) => hearOfJobs(orchestration, connection, [eventId]) });
    stops.push(events.close);
    // Beside each entry of the log go the events that it has to say, in the same transaction.
    const record = async (tx: Tx, entry: AuditEntry): Promise<void> => events.publish(tx, entry, await audit.record(tx, entry));
    const rotation = createMasterKeyRotation({ database, keyProvider, clock, log, jobs, record });
    await rotation.warnOfMissing();
    const everyConnector = { ...connectors, subscribers: events.connector };
    for (const finding of checkConnections({ connectors: everyConnector, secrets }, config.connections)) log.warn({ finding }, 'the configuration leaves data behind');
    const mapping = createMapping({ database, systemKeys, defaultCountry: config.identity.default_country });
    const suppression = createSuppressionLedger({ database, systemKeys, clock });
    const { proof_service: proofService, sms } = config.identity;
    const texter = sms === undefined ? undefined : createTexter(sms, { secrets, transport: edges.transport, log });
    const failedProofs = createFailedProofs({ clock, perHour: config.identity.failed_proofs_per_hour });
    const proofs = createProofVerification({
      database,
      systemKeys,
      clock,
      vault,
      failedProofs,
      record,
      askLater: (tx, requestId, delayMs) => jobs.send(tx, proofAsk, { request_id: requestId }, { delayMs }),
      proofsMax: config.identity.code_attempts,
    });
    const verification = createVerification({
      systemKeys,
      clock,
      proofs,
      failedProofs,
      record,
      smsCodesBy: texter?.codes === undefined ? 'us' : 'service',
      codeMinutes: config.identity.code_minutes,
      codeAttempts: config.identity.code_attempts,
      sendCode: (tx, requestId, number) => notify(tx, { requestId, template: 'verification_code', recipient: 'subject', occasion: codeOccasion(number) }),
    });
    const connections = await createConnections({ database, clock, secrets, connectors: everyConnector, transport: edges.transport, record, onResumed: (tx, name) => wakeConnection({ clock, jobs }, tx, name), windowHours: config.requests.window_hours }, config.connections);
    let url: string | undefined;
    const { exports, linkOrigin } = await makeExports({ settings, config, secrets, database, clock, random, log, jobs, vault, systemKeys, connections, record, notify, publicUrl: () => settings.publicUrl ?? url ?? `http://${settings.host}:${settings.port}` });
    const { recipients, tellLifted, sayAgain, onSkipped } = makeRecipients({ config, clock, jobs, systemKeys, notify });
    for (const finding of recipients.findings) log.warn({ finding }, 'the configuration leaves recipients to people');
    const restrictions = createRestrictions({ database, systemKeys, clock, record, tellLifted });
    const facts = createNoticeFacts(database);
    const sender = createNotificationSender({
      database,
      clock,
      random,
      jobs,
      vault,
      record,
      mailer: config.mail === undefined ? undefined : edges.createMailer({ smtpUrl: new Secret(resolveSecret(config.mail.smtp_url, '/mail/smtp_url', secrets)), from: config.mail.from }, log),
      texter,
      officerHooks,
      sender: { name: config.controller.name, contact: config.controller.contact },
      dpo: config.controller.dpo,
      codeMinutes: config.identity.code_minutes,
      codeToSend: verification.codeToSend,
      notices: createNoticeCatalogue(config.notices),
      describeExport: (requestId) => exports.delivery.linkToSend(requestId),
      exportCodeToSend: exports.delivery.codeToSend,
      systemKeys,
      recipients,
      isRestricted: (identifiers) => restrictions.holds('restriction', identifiers),
      onSkipped,
      ...facts,
      ...createRequestNoticeFacts(database, clocks),
    });
    const dated: ClockActionDeps = { database, clock, clocks, record, notify, jobs, acknowledgedAt: sender.acknowledgedAt, unverifiedDays: config.identity.unverified_days, carryOutAnew: (tx, request) => createCarryOutAnew(orchestration)(tx, request) };
    const orchestration: OrchestrationDeps = {
      database,
      clock,
      random,
      log,
      jobs,
      vault,
      connections,
      record,
      notify,
      noticesWait: async (id) => (await sender.subjectWaits(id)) || (await events.needsVault(id)) || appealWaits(database, id),
      lookupMapping: mapping.lookup,
      addSuppressions: suppression.add,
      exports,
      restrictions,
      recipients,
      sayAgain,
      certificates: audit.certificates,
      boundary: options.boundary ?? (() => undefined),
      policy: {
        approvalRequired: config.requests.approval === 'required',
        graceMs: config.requests.grace_days * 24 * hourMs,
        windowMs: config.requests.window_hours * hourMs,
        confirmAttemptsMax: config.requests.confirm_attempts,
        controller: { name: config.controller.name, contact: config.controller.contact },
      },
    };
    const actions = createRequestActions({ database, clock, jobs, record, notify, clocks });
    const askAboutProof = createAskAboutProof({
      database,
      random,
      log,
      vault,
      proofs,
      failedProofs,
      service: proofService === undefined ? undefined : createProofService(proofService, { clock, secrets, transport: edges.transport }),
      isWaiting: async (requestId) => (await findRequest(database.read<RequestTables>(), requestId))?.status === 'verifying',
      subjectVerified: actions.subjectVerified,
    });
    const pressure = createIntakePressure();
    const advance = createAdvanceRequest(orchestration);
    const runTask = createRunTask(orchestration);
    if (database.kind === 'embedded') {
      await freeLeases(database.read<OrchestrationTables>(), new Date(clock.now()));
      await wakeUnderWay(database.read<RequestTables>(), new Date(clock.now()));
    }
    const inbound = makeInbound({ settings, config, secrets, systemKeys, orchestration, verification, proofs, notify, clocks, transport: edges.transport });
    const work = {
      inbound, database, jobs, log, clock, orchestration, connections, events, sender, proofs, askAboutProof, rotation, rewrapHere, exports, clockReminders: createClockReminders({ database, clock, clocks, notify, acknowledgedAt: sender.acknowledgedAt }),
      advance: (id: RequestId) => pressure.relieved().then(() => advance(id)),
      runTask: (id: TaskId) => pressure.relieved().then(() => runTask(id)),
    };
    if (runs('worker')) await startWork(work);
    if (runs('worker')) stops.unshift(inbound.startConsuming());
    if (runs('scheduler')) await scheduleWork(jobs);

    const operatorKey = operatorKeyOf(settings, random);
    if (runs('http')) {
      const app = await makeServer({ config, secrets, databases, systemKeys, orchestration, operatorKey, audit, verification, texter, actions, dated, pressure, restrictions, events, exports, linkOrigin, rotation, inbound });
      url = await edges.listen(app, settings);
      stops.unshift(() => app.close());
    }
    return {
      url,
      operatorKey,
      audit,
      connections,
      mapping,
      suppression,
      readIdentifier: (kind, text) => ({ kind, ...normalise(kind, text, { defaultCountry: config.identity.default_country, field: kind }) }),
      sweep: async () => {
        await events.sweep();
        return sweepDue(orchestration, { lateMs: 0 });
      },
      reconcile: () => reconcileVendorJobs(orchestration),
      stop: async () => {
        for (const stop of stops) await stop();
      },
    };
  } catch (error) {
    for (const stop of stops) await stop();
    throw error;
  }
}
