import type { Capabilities, Connector, ConnectorContext } from '../../connector-kit/index.ts';
import { idTypesOf, segmentConfigSchema, type SegmentConfig } from './config.ts';
import { confirmAbsence } from './confirm-absence.ts';
import { eraseProfile } from './erase-profile.ts';
import { exportProfiles } from './export-profiles.ts';
import { locateProfile } from './locate-profile.ts';
import { readExternalIds } from './profile-api.ts';
import { listRegulations } from './public-api.ts';

export { segmentConfigSchema, type SegmentConfig } from './config.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Nobody has this user id; a clean 404 for it proves the token. */
const nobody = 'quittance-connection-check';

/**
 * Segment: persons are looked up by the Profile API and erased by regulations of the Public API, followed until every destination has answered.
 * Confirmed by looking the person up again. What the Profile API shows is exported. It cannot correct: a trait changes only when a source sends
 * a new event, which would be another source's word, and may merge profiles; so a correction goes to a person. It is the identity map of the other systems, so it is erased last.
 */
export const segmentConnector: Connector<SegmentConfig> = {
  name: 'segment',
  title: 'Segment',
  config: segmentConfigSchema,
  capabilities: (config): Capabilities => ({
    erases: ['user_id'],
    locates: [...new Set(idTypesOf(config).map(({ kind }) => kind))],
    ...(config.profile_api.form === 'external_ids' ? { exports: [...new Set(idTypesOf(config).map(({ kind }) => kind))], exportsWhole: true } : {}),
    actions: ['erase'],
    isIdentityMap: true,
    // Hours as a rule; 30 days is what Segment promises for its own stores (Segment, User Deletion and Suppression).
    latencyMs: { typical: 6 * hourMs, worst: 30 * dayMs },
    sanitization: 'clear',
    // Half of the Profile API's 100 a second for each space: the company's own reads share it.
    limits: { concurrency: 4, callsPerSecond: 50, burst: 100 },
  }),
  egress: (config) => [...new Set([config.profile_api.base_url, config.public_api.base_url].map((url) => new URL(url).origin))],
  connect: (config) => ({
    check: async (context) => check(context, config),
    locate: async (context, known) => locateProfile(context, config, known),
    erase: async (context) => eraseProfile(context, config),
    confirm: async (context) => confirmAbsence(context, config),
    // The identify form answers an id and writes at the real vendor; what it would show of a profile is not described.
    ...(config.profile_api.form === 'external_ids' ? { export: (context) => exportProfiles(context, config) } : {}),
  }),
};

async function check(context: ConnectorContext, config: SegmentConfig): Promise<void> {
  await listRegulations(context, config, { page: undefined, count: 1 });
  // The identify form writes: there its token is first proved by the first look-up.
  if (config.profile_api.form === 'external_ids') await readExternalIds(context, config, config.id_types.user_id, nobody);
}
