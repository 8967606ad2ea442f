import { buildApplication, buildRouteMap, text_en, type Application } from '@stricli/core';
import { version } from '../version.ts';
import { describeThrown, exitCodeOf } from './command-error.ts';
import { command as auditExport } from './commands/audit/export/command.ts';
import { command as auditVerify } from './commands/audit/verify/command.ts';
import { command as certificateSave } from './commands/certificate/save/command.ts';
import { command as certificateVerify } from './commands/certificate/verify/command.ts';
import { command as configCheck } from './commands/config/check/command.ts';
import { command as connectionList } from './commands/connection/list/command.ts';
import { command as connectionResume } from './commands/connection/resume/command.ts';
import { command as connectionSuspend } from './commands/connection/suspend/command.ts';
import { command as connectorCheck } from './commands/connector/check/command.ts';
import { command as connectorList } from './commands/connector/list/command.ts';
import { command as datamapCheck } from './commands/datamap/check/command.ts';
import { command as datamapScan } from './commands/datamap/scan/command.ts';
import { command as eventsDeliveries } from './commands/events/deliveries/command.ts';
import { command as eventsDestinations } from './commands/events/destinations/command.ts';
import { command as eventsList } from './commands/events/list/command.ts';
import { command as eventsReplay } from './commands/events/replay/command.ts';
import { command as eventsResume } from './commands/events/resume/command.ts';
import { command as eventsShow } from './commands/events/show/command.ts';
import { command as eventbridgeDestroy } from './commands/eventbridge/destroy/command.ts';
import { command as eventbridgePlan } from './commands/eventbridge/plan/command.ts';
import { command as eventbridgeProvision } from './commands/eventbridge/provision/command.ts';
import { command as keysRotate } from './commands/keys/rotate/command.ts';
import { command as keysRotateLogKey } from './commands/keys/rotate-log-key/command.ts';
import { command as keysStatus } from './commands/keys/status/command.ts';
import { command as manualTaskList } from './commands/manual-task/list/command.ts';
import { command as manualTaskSettle } from './commands/manual-task/settle/command.ts';
import { command as mappingImport } from './commands/mapping/import/command.ts';
import { command as migrate } from './commands/migrate/command.ts';
import { command as requestAppeal } from './commands/request/appeal/command.ts';
import { command as requestApprove } from './commands/request/approve/command.ts';
import { command as requestClock } from './commands/request/clock/command.ts';
import { command as requestCreate } from './commands/request/create/command.ts';
import { command as requestDryRun } from './commands/request/dry-run/command.ts';
import { command as requestExtend } from './commands/request/extend/command.ts';
import { command as requestList } from './commands/request/list/command.ts';
import { command as requestPause } from './commands/request/pause/command.ts';
import { command as requestPlan } from './commands/request/plan/command.ts';
import { command as requestReject } from './commands/request/reject/command.ts';
import { command as requestResume } from './commands/request/resume/command.ts';
import { command as requestRetry } from './commands/request/retry/command.ts';
import { command as requestShow } from './commands/request/show/command.ts';
import { command as requestWatch } from './commands/request/watch/command.ts';
import { command as requestWithdraw } from './commands/request/withdraw/command.ts';
import { command as rulesTest } from './commands/rules/test/command.ts';
import { command as serve } from './commands/serve/command.ts';
import { command as suppressionCheck } from './commands/suppression/check/command.ts';
import type { CliContext } from './context.ts';

const routes = {
  serve,
  request: buildRouteMap({
    routes: {
      create: requestCreate,
      show: requestShow,
      list: requestList,
      plan: requestPlan,
      dryRun: requestDryRun,
      approve: requestApprove,
      reject: requestReject,
      withdraw: requestWithdraw,
      retry: requestRetry,
      watch: requestWatch,
      clock: requestClock,
      extend: requestExtend,
      pause: requestPause,
      resume: requestResume,
      appeal: requestAppeal,
    },
    aliases: { cancel: 'withdraw' },
    docs: { brief: 'Open privacy requests, read them and act on them' },
  }),
  manualTask: buildRouteMap({ routes: { list: manualTaskList, settle: manualTaskSettle }, docs: { brief: 'See and settle what waits for a person' } }),
  certificate: buildRouteMap({ routes: { verify: certificateVerify, save: certificateSave }, docs: { brief: 'Save certificates, and verify them offline' } }),
  audit: buildRouteMap({ routes: { verify: auditVerify, export: auditExport }, docs: { brief: 'Verify and export the audit log' } }),
  keys: buildRouteMap({ routes: { status: keysStatus, rotate: keysRotate, rotateLogKey: keysRotateLogKey }, docs: { brief: 'See and rotate the master key and the audit log’s key' } }),
  connector: buildRouteMap({ routes: { list: connectorList, check: connectorCheck }, docs: { brief: 'See the connectors in use and check that they reach their vendors' } }),
  connection: buildRouteMap({ routes: { list: connectionList, suspend: connectionSuspend, resume: connectionResume }, docs: { brief: 'See, suspend and resume configured connections' } }),
  suppression: buildRouteMap({ routes: { check: suppressionCheck }, docs: { brief: 'Find people who were erased, in a restore or an import' } }),
  datamap: buildRouteMap({ routes: { check: datamapCheck, scan: datamapScan }, docs: { brief: 'Check the data maps of databases, and draft new ones' } }),
  events: buildRouteMap({
    routes: { list: eventsList, show: eventsShow, deliveries: eventsDeliveries, destinations: eventsDestinations, replay: eventsReplay, resume: eventsResume },
    docs: { brief: 'See privacy events, where they went, and send them once more' },
  }),
  rules: buildRouteMap({ routes: { test: rulesTest }, docs: { brief: 'Try the rules that events leave by' } }),
  eventbridge: buildRouteMap({ routes: { plan: eventbridgePlan, provision: eventbridgeProvision, destroy: eventbridgeDestroy }, docs: { brief: 'Make at Amazon EventBridge what the event rules need' } }),
  mapping: buildRouteMap({ routes: { import: mappingImport }, docs: { brief: 'Import which identifiers belong to one person' } }),
  config: buildRouteMap({ routes: { check: configCheck }, docs: { brief: 'Check the configuration' } }),
  migrate,
};

/** The command line: every command of this version. */
export const app: Application<CliContext> = buildApplication<CliContext>(
  buildRouteMap({
    routes,
    docs: { brief: 'Quittance: one privacy request in, erasure done and proven, a certificate out', fullDescription: description() },
  }),
  {
    name: 'quittance',
    versionInfo: { currentVersion: version },
    scanner: { caseStyle: 'allow-kebab-for-camel' },
    documentation: { disableAnsiColor: false },
    determineExitCode: exitCodeOf,
    localization: {
      text: {
        ...text_en,
        exceptionWhileRunningCommand: (thrown) => describeThrown(thrown),
        exceptionWhileLoadingCommandFunction: (thrown) => describeThrown(thrown),
      },
    },
  },
);

function description(): string {
  return [
    'Quittance: one privacy request in, erasure done and proven, a certificate out.',
    '',
    'Commands call the server at QUITTANCE_URL (http://127.0.0.1:4000) with QUITTANCE_API_KEY, or with the key that the server on this',
    'machine keeps in QUITTANCE_DATA_DIR. Exit codes: 0 done, 1 failed, 2 wrong use or configuration, 3 found what was asked for.',
    '',
    'Example:',
    '  quittance serve --sandbox',
  ].join('\n');
}
