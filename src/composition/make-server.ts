import type { Identifier } from '../contract/identifiers.ts';
import { createAuthenticate, guardRoutes, type ApiKey } from '../modules/access/index.ts';
import type { Audit } from '../modules/audit/index.ts';
import { registerConnectionRoutes } from '../modules/connections/index.ts';
import type { Events } from '../modules/events/index.ts';
import { registerExportRoutes, type Exports } from '../modules/exports/index.ts';
import { normalise, registerKeyRoutes, type MasterKeyRotation, type Verification } from '../modules/identity/index.ts';
import { createGdprRequests, createSources, createVerifySubject, registerGdprRoutes, registerIntakeRoutes, type IntakePressure } from '../modules/intake/index.ts';
import { createSmsCodeJudge, type Texter } from '../modules/notifications/index.ts';
import { registerOrchestrationRoutes, type OrchestrationDeps } from '../modules/orchestration/index.ts';
import { createClockActions, registerClockRoutes, registerRequestRoutes, type ClockActionDeps, type RequestActions } from '../modules/requests/index.ts';
import { registerRestrictionRoutes, type Restrictions } from '../modules/restrictions/index.ts';
import type { ConfigDocument } from '../platform/config/document.ts';
import { resolveSecret, type SecretSources } from '../platform/config/load.ts';
import type { SystemKeys } from '../platform/crypto/system-keys.ts';
import type { Databases } from '../platform/db/open-databases.ts';
import { registerHealthRoutes } from '../platform/http/health.ts';
import { createHttpServer, type HttpServer } from '../platform/http/server.ts';
import { Secret } from '../platform/secret.ts';
import { version } from '../version.ts';
import type { Inbound } from './make-inbound.ts';

/** What the HTTP service is made of: the parts that a process has anyway. */
export interface ServerParts {
  readonly config: ConfigDocument;
  readonly secrets: SecretSources;
  readonly databases: Databases;
  readonly systemKeys: SystemKeys;
  readonly orchestration: OrchestrationDeps;
  readonly operatorKey: Secret | undefined;
  readonly audit: Audit;
  readonly verification: Verification;
  readonly texter: Texter | undefined;
  readonly actions: RequestActions;
  readonly dated: ClockActionDeps;
  readonly pressure: IntakePressure;
  readonly restrictions: Restrictions;
  readonly events: Events;
  readonly exports: Exports;
  readonly linkOrigin: string | undefined;
  readonly rotation: MasterKeyRotation;
  readonly inbound: Inbound;
}

/** How long the system that knows the accounts may take to say whether there is one. */
const askMs = 15_000;

/** Makes the HTTP server with every route; it listens nowhere yet. */
export async function makeServer(parts: ServerParts): Promise<HttpServer> {
  const { config, secrets, databases, systemKeys, orchestration, operatorKey, verification, actions, restrictions, exports, rotation, inbound } = parts;
  const { main: database } = databases;
  const { clock, log, vault, record, connections } = orchestration;
  const { default_country: defaultCountry } = config.identity;
  const keys: ApiKey[] = config.access.api_keys.map(({ name, verify, key }, index) => ({ name, verify, key: new Secret(resolveSecret(key, `/access/api_keys/${index}/key`, secrets)) }));
  if (operatorKey !== undefined) keys.push({ name: 'operator', verify: 'source', key: operatorKey });
  const authenticate = createAuthenticate(keys);
  const app = await createHttpServer(log, version);
  guardRoutes(app, authenticate);
  registerIntakeRoutes(app, {
    database,
    clock,
    sources: createSources(config.sources, secrets, globalThis.fetch),
    authenticate,
    pressure: parts.pressure,
    acceptRequest: inbound.acceptRequest,
    takePush: inbound.takePush,
    verifyByOperator: actions.verifyByOperator,
    verifySubject: createVerifySubject({ database, verification, judgeCode: createSmsCodeJudge(vault, parts.texter), subjectVerified: actions.subjectVerified }),
  });
  inbound.registerRoutes(app);
  registerRequestRoutes(app, { database, authenticate, actions });
  registerClockRoutes(app, { authenticate, actions: createClockActions(parts.dated) });
  registerOrchestrationRoutes(app, orchestration, authenticate);
  registerRestrictionRoutes(app, { restrictions, authenticate, readIdentifier: (kind, text, field) => ({ kind, ...normalise(kind, text, { defaultCountry, field }) }) });
  registerExportRoutes(app, { exports, authenticate, controllerName: config.controller.name, linkOrigin: parts.linkOrigin, log });
  if (config.gdpr_request !== undefined) {
    const users = connections.get(config.gdpr_request.users);
    const lookUp = async (known: readonly Identifier[]) => users.connection.locate(users.context({ signal: AbortSignal.timeout(askMs), stepEndsAt: clock.now() + askMs }), known);
    registerGdprRoutes(app, { database, requests: createGdprRequests(config.gdpr_request, { database, clock, systemKeys, vault, openRequest: inbound.openRequest, record, lookUp, secrets, fetch: globalThis.fetch, defaultCountry }) });
  }
  registerConnectionRoutes(app, { connections, authenticate });
  parts.events.registerRoutes(app, authenticate);
  parts.audit.registerRoutes(app, authenticate);
  registerKeyRoutes(app, { rotation, authenticate });
  registerHealthRoutes(app, database, databases.audit);
  return app;
}
