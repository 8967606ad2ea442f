import type { Capabilities, Connector } from '../../connector-kit/index.ts';
import type { IdentifierKind } from '../../contract/identifiers.ts';
import { databaseConfigSchema, type DatabaseConfig } from './config.ts';
import { confirmRows } from './confirm-rows.ts';
import { dryRunErasure, eraseRows } from './erase-rows.ts';
import { exportRows } from './export-rows.ts';
import { locatePerson } from './locate-person.ts';
import { originOf } from './open-database.ts';
import { confirmRectified, rectifyRows } from './rectify-rows.ts';
import { keyKind } from './subject.ts';
import { withSystem } from './system.ts';

export { databaseShape, type DatabaseConfig } from './config.ts';
export { findingCodes, type Finding, type FindingCode } from './data-map.ts';
export { checkDataMap, type DataMapCheck } from './check-data-map.ts';
export { scanDatabase } from './scan-database.ts';

const minuteMs = 60_000;

/**
 * The company's own PostgreSQL, MySQL and MariaDB databases, by a data map of their tables: see `docs/guides/databases.md`. It has sockets of its own, to the
 * one host of its URL; the guarded fetch is not used.
 */
export const databaseConnector: Connector<DatabaseConfig> = {
  name: 'database',
  title: 'Database',
  config: databaseConfigSchema,
  checksAtStart: true,
  capabilities: (config): Capabilities => ({
    erases: erasesBy(config),
    locates: Object.keys(config.subject.identifiers) as IdentifierKind[],
    actions: ['erase', 'anonymise'],
    isIdentityMap: false,
    latencyMs: { typical: minuteMs, worst: 60 * minuteMs },
    sanitization: 'clear',
    // Connections to the database at once; the calls of a second are for systems that are called by HTTP.
    limits: { concurrency: 4, callsPerSecond: 100, burst: 100 },
  }),
  egress: (config) => [originOf(config.url)],
  findings: (config) => (travelsInClear(config) ? ['the database is on another machine and is spoken to without TLS: credentials and personal data can be read on the way'] : []),
  connect: (config) => ({
    check: async () => withSystem(config, async () => undefined),
    locate: async (context, known) => locatePerson(context, config, known),
    erase: async (context) => eraseRows(context, config),
    confirm: async (context) => confirmRows(context, config),
    export: (context) => exportRows(context, config),
    dryRun: async (context) => dryRunErasure(context, config),
    rectify: async (context) => rectifyRows(context, config),
    confirmRectified: async (context) => confirmRectified(context, config),
  }),
};

/** By the key alone where it is an identifier: the look-up gives it, and one task for each person is enough. */
function erasesBy(config: DatabaseConfig): readonly IdentifierKind[] {
  const key = keyKind(config);
  return key === undefined ? (Object.keys(config.subject.identifiers) as IdentifierKind[]) : [key];
}

function travelsInClear({ url, tls }: DatabaseConfig): boolean {
  const { hostname, searchParams } = new URL(url);
  const mode = searchParams.get('sslmode');
  const isLocal = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/u.test(hostname);
  return !isLocal && tls === undefined && (mode === null || mode === 'disable');
}
