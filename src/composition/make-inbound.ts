import type { Transport } from '../connector-kit/index.ts';
import type { ProofVerification, Verification } from '../modules/identity/index.ts';
import { createAcceptRequest, createBusReader, createProfiles, createRefusals, createTakePush, profilesToken, registerProfileRoutes, startConsuming, type AcceptRequest, type ProfileProgress, type TakePush } from '../modules/intake/index.ts';
import type { Notify } from '../modules/notifications/index.ts';
import { requestVerdict, tasksOf, type OrchestrationDeps, type OrchestrationTables } from '../modules/orchestration/index.ts';
import { createOpenRequest, findRequest, type LawClocks, type OpenRequest, type RequestTables } from '../modules/requests/index.ts';
import type { ConfigDocument } from '../platform/config/document.ts';
import type { SecretSources } from '../platform/config/load.ts';
import type { Settings } from '../platform/config/settings.ts';
import type { SystemKeys } from '../platform/crypto/system-keys.ts';
import { Failure } from '../platform/failure.ts';
import type { HttpServer } from '../platform/http/server.ts';

/** What opens requests is made of: the parts that a process has anyway. */
export interface InboundParts {
  readonly settings: Settings;
  readonly config: ConfigDocument;
  readonly secrets: SecretSources;
  readonly systemKeys: SystemKeys;
  readonly orchestration: OrchestrationDeps;
  readonly verification: Verification;
  readonly proofs: ProofVerification;
  readonly notify: Notify;
  readonly clocks: LawClocks;
  readonly transport: Transport;
}

/** Everything by which requests come in. */
export interface Inbound {
  readonly openRequest: OpenRequest;
  readonly acceptRequest: AcceptRequest;
  readonly takePush: TakePush;
  /** Registers the routes of event buses, where they are configured. */
  readonly registerRoutes: (app: HttpServer) => void;
  /** Reads every bus of the configuration, until it is called again. */
  readonly startConsuming: () => () => Promise<void>;
  /** Forgets what was kept for repetitions and is over. */
  readonly forget: () => Promise<void>;
}

/** Makes the ways in of their modules: what a request may be limited to, and who hears what cannot be taken. */
export function makeInbound(parts: InboundParts): Inbound {
  const { config, secrets, systemKeys, orchestration } = parts;
  const { database, clock, random, log, jobs, vault, record } = orchestration;
  const { default_country: defaultCountry, unverified_days: unverifiedDays } = config.identity;
  const openRequest = createOpenRequest({ clock, random, jobs, vault, record, startVerification: parts.verification.start, beforeCommit: () => orchestration.boundary('request.opening'), notify: parts.notify, clocks: parts.clocks, unverifiedDays });
  const acceptRequest = createAcceptRequest({ database, clock, systemKeys, vault, openRequest, giveAnotherProof: parts.proofs.giveAnother, defaultCountry });
  const refusals = createRefusals({ database, clock, log, alertOfficer: (tx, occasion) => parts.notify(tx, { requestId: null, template: 'dpo_bus_alert', recipient: 'dpo', occasion }) });

  const progressOf = async (requestId: Parameters<typeof findRequest>[1]): Promise<ProfileProgress> => {
    const request = await findRequest(database.read<RequestTables>(), requestId);
    if (request === undefined) throw new Failure('NOT_FOUND', 'There is no such job');
    const tasks = await tasksOf(database.read<OrchestrationTables>(), requestId);
    const named = tasks.filter((task) => request.systems?.includes(task.connection) ?? true);
    const settled = named.flatMap(({ outcome, confirmation, residue, status }) => (status === 'settled' && outcome !== null ? [{ outcome, confirmation, residue }] : []));
    return {
      steps: named.map(({ connection: system, action, outcome, confirmation, counts, residue }) => ({ system, action, outcome, confirmation, counts, residue })),
      verdict: request.planned_at !== null && settled.length === named.length ? requestVerdict(settled) : null,
    };
  };
  const { profiles: profilesConfig } = config.destinations;
  const profiles = profilesConfig === undefined ? undefined : createProfiles(profilesConfig, { database, clock, systemKeys, vault, openRequest, progressOf, defaultCountry });

  return {
    openRequest,
    acceptRequest,
    takePush: createTakePush({ acceptRequest, refusals }),
    registerRoutes: (app) => {
      if (profiles === undefined || profilesConfig === undefined) return;
      registerProfileRoutes(app, { database, profiles, token: profilesToken(profilesConfig.token, secrets), perMinute: profilesConfig.rate_limit_per_minute });
    },
    startConsuming: () => {
      const defaults = { secrets, kafkaBrokers: parts.settings.kafkaBrokers };
      const running = Object.entries(config.sources).flatMap(([source, { consume, ...rest }]) => {
        if (consume === undefined) return [];
        const reader = createBusReader(source, consume, defaults, { database, clock, refusals, transport: parts.transport });
        return [startConsuming({ source, config: rest, inFlight: consume.in_flight, reader, acceptRequest, refusals, clock, random, log })];
      });
      return async () => void (await Promise.all(running.map(({ stop }) => stop())));
    },
    forget: async () => {
      await profiles?.forget();
      await refusals.forget();
    },
  };
}
