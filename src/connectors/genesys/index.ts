import { Failure, travelsInClear, type Capabilities, type Connection, type Connector, type ConnectorContext } from '../../connector-kit/index.ts';
import { genesysConfigSchema, hostsOf, leftOut, type GdprConfig, type GenesysConfig, type PiiConfig } from './config.ts';
import { eraseByForm } from './erase-by-form.ts';
import { eraseSubjects } from './erase-subjects.ts';
import { exportSubjects } from './export-subjects.ts';
import { endsClearly } from './external-ids.ts';
import { confirmByName, locateSubjects, searchedKinds } from './find-subjects.ts';
import { gdprScope, listRequests, requestState } from './gdpr-api.ts';
import { parseCursor } from './gdpr-cursor.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { deletionState, readDeletion } from './pii-api.ts';
import { confirmRectified, rectifySubjects } from './rectify-subjects.ts';
import { readCallback } from './read-callback.ts';
import { refreshAnalytics, refreshScope } from './refresh-analytics.ts';

export { genesysConfigSchema, type GenesysConfig } from './config.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** No job has this id; the platform's own 404 for it proves that the token may read. */
const nobody = '00000000-0000-4000-8000-000000000000';

/**
 * Genesys Cloud, by one of its two ways to delete: the PII deletion form, which takes an exact external id and cannot be read back, or the GDPR API
 * of the public platform, which is searched before and after. Only the latter gives copies and corrects.
 */
export const genesysConnector: Connector<GenesysConfig> = {
  name: 'genesys',
  title: 'Genesys Cloud',
  config: genesysConfigSchema,
  // A missing scope shows later as a 403 without a word.
  checksAtStart: true,
  capabilities: (config): Capabilities => ({
    erases: config.api === 'gdpr' ? searchedKinds : [...new Set(['external_id' as const, ...config.variants.map((each) => each.of)])],
    locates: config.api === 'gdpr' ? searchedKinds : [],
    ...(config.api === 'gdpr' ? { exports: searchedKinds, exportsWhole: true } : {}),
    actions: ['erase'],
    isIdentityMap: false,
    ...(config.api === 'pii' ? { isSequential: true } : {}),
    // Nothing is documented of how long an aggregate takes; a day is what a nightly synchronisation needs.
    ...(config.api === 'pii' && config.analytics_refresh !== 'none' ? { refreshMs: { typical: 15 * minuteMs, worst: dayMs } } : {}),
    // The form ends within minutes and its own window is 72 hours; GDPR requests take days, and 14 of them is what to plan for.
    latencyMs: config.api === 'pii' ? { typical: 10 * minuteMs, worst: 3 * dayMs } : { typical: 3 * dayMs, worst: 14 * dayMs },
    sanitization: 'clear',
    // Below the 300 calls a minute of a client-credentials token, the burst included.
    limits: { concurrency: 4, callsPerSecond: 4, burst: 40 },
  }),
  egress: (config) => {
    const { api, login } = hostsOf(config);
    const refresh = config.api === 'pii' && typeof config.analytics_refresh !== 'string' ? [new URL(config.analytics_refresh.url).origin] : [];
    return [...new Set([api, login, ...refresh, ...(config.api === 'gdpr' ? config.archive_origins : [])])];
  },
  findings: (config) => [...(config.api === 'pii' ? piiFindings(config) : []), ...sharedFindings(config)],
  connect: (config) => {
    const gateway = createGateway(config);
    return config.api === 'pii' ? connectForm(config, gateway) : connectGdpr(config, gateway);
  },
};

function piiFindings(config: PiiConfig): readonly string[] {
  return [
    ...leftOut(config).map((scope) => `The scope leaves out ${scope}: what Genesys holds of a person there is not deleted`),
    ...(config.analytics_refresh === 'none' ? ['Analytics aggregates are not refreshed: they go on counting people who were erased'] : []),
  ];
}

function sharedFindings(config: GenesysConfig): readonly string[] {
  const { api, login } = hostsOf(config);
  const refresh = config.api === 'pii' && typeof config.analytics_refresh !== 'string' ? [config.analytics_refresh.url] : [];
  const unclear = [config.external_id, ...config.variants].some(({ prefix }) => !endsClearly(prefix));
  return [
    ...(unclear ? ['A prefix ends in a letter or a digit, so an id that has it already cannot be told from one that begins like it: it is put in front of every id'] : []),
    ...([api, login, ...refresh].some(travelsInClear) ? ['It is called by http over a public network: credentials and personal data can be read on the way'] : []),
  ];
}

function connectForm(config: PiiConfig, gateway: Gateway): Connection {
  const { callback_secret: secret } = config;
  return {
    check: async (context) => {
      await needScopes(context, gateway, ['pii:delete', 'pii:view', ...(config.analytics_refresh === 'api' ? [refreshScope] : [])]);
      if ((await readDeletion(context, gateway, nobody)) !== undefined) throw new Failure('VENDOR_MALFORMED', 'Genesys knows a job that cannot exist; check the region or base_url');
    },
    // The form has no search: only the read-only mapping can lead here.
    locate: async () => ({ found: [], knows: [] }),
    erase: async (context) => eraseByForm(context, config, gateway),
    confirm: async () => ({ state: 'attested' }),
    ...(config.analytics_refresh === 'none' ? {} : { refresh: async (context) => refreshAnalytics(context, config, gateway) }),
    ...(secret === undefined ? {} : { readCallback: (callback) => readCallback(secret, callback) }),
    jobState: async (context, job) => deletionState(context, gateway, job),
  };
}

function connectGdpr(config: GdprConfig, gateway: Gateway): Connection {
  return {
    check: async (context) => {
      await needScopes(context, gateway, [gdprScope]);
      await listRequests(context, gateway, 1, 1);
    },
    locate: async (context, known) => locateSubjects(context, config, gateway, known),
    erase: async (context) => eraseSubjects(context, config, gateway),
    // Without a cursor nothing says when the deletion ended; the request's receipt is the latest start that is certain.
    confirm: async (context) => confirmByName(context, config, gateway, parseCursor(context.cursor)?.endedAt ?? context.receivedAt),
    export: (context) => exportSubjects(context, config, gateway),
    rectify: async (context) => rectifySubjects(context, config, gateway),
    confirmRectified: async (context) => confirmRectified(context, config, gateway),
    jobState: async (context, job) => requestState(context, gateway, job),
  };
}

/** Says which scope is missing while it is still only a sentence, where the login names the client's scopes; later it is a 403 without a word. */
async function needScopes(context: ConnectorContext, gateway: Gateway, needed: readonly string[]): Promise<void> {
  const scopes = await gateway.scopes(context);
  const missing = needed.filter((scope) => scopes !== undefined && !scopes.includes(scope));
  if (missing.length === 0) return;
  throw new Failure('CONNECTION_REFUSED', `The OAuth client lacks the ${missing.length === 1 ? 'scope' : 'scopes'} ${missing.join(', ')}: give it in Genesys Cloud under Admin, Integrations, OAuth`);
}
