import { formatId } from '../contract/ids.ts';
import { createExports, createExportStorage, type Exports, type ExportsDeps } from '../modules/exports/index.ts';
import { exportCodeOccasion, type Notify } from '../modules/notifications/index.ts';
import { erasedUnder, openManualTask, settleDelivery, tasksOf, type OrchestrationTables } from '../modules/orchestration/index.ts';
import { findRequest, requestAdvance, type RequestTables } from '../modules/requests/index.ts';
import type { Connections } from '../modules/connections/index.ts';
import type { ConfigDocument } from '../platform/config/document.ts';
import type { SecretSources } from '../platform/config/load.ts';
import type { Settings } from '../platform/config/settings.ts';
import { Failure } from '../platform/failure.ts';

/** What packages are made with. */
export interface ExportParts extends Pick<ExportsDeps, 'database' | 'clock' | 'random' | 'log' | 'jobs' | 'vault' | 'systemKeys' | 'record' | 'publicUrl'> {
  readonly settings: Settings;
  readonly config: ConfigDocument;
  readonly secrets: SecretSources;
  readonly connections: Connections;
  readonly notify: Notify;
}

/** Makes the packages' module of the others: what a package says of its request, and who hears what becomes of it. */
export async function makeExports(parts: ExportParts): Promise<{ readonly exports: Exports; readonly linkOrigin: string | undefined }> {
  const { config, database, clock, notify, jobs } = parts;
  const systems = Object.fromEntries(parts.connections.all.map(({ name, title }) => [name, { title, holds: config.connections[name]?.holds ?? {} }]));
  const storage = await createExportStorage(config.exports, parts.settings.dataDir, parts.secrets);
  const exports = createExports({
    ...parts,
    storage,
    encryption: config.exports.encryption,
    systems,
    controller: { name: config.controller.name, contact: config.controller.contact, dpo: config.controller.dpo },
    complaint: config.exports.complaint,
    automatedDecisions: config.exports.automated_decisions,
    describeRequest: async (requestId) => {
      const request = await findRequest(database.read<RequestTables>(), requestId);
      if (request === undefined) throw new Failure('NOT_FOUND', 'There is no such request');
      const { request_right: right } = request;
      if (right !== 'access' && right !== 'portability') throw new Error('A package is made for a right that has none');
      const tasks = await tasksOf(database.read<OrchestrationTables>(), requestId);
      const empty = tasks.filter((task) => task.action === 'export' && task.outcome !== 'exported' && task.outcome !== 'nothing_matched');
      const notSearched = empty.map((task) => ({ system: task.connection, reason: task.outcome ?? 'failed' }));
      const exported = tasks.filter((task) => task.outcome === 'exported');
      return {
        requestId: formatId('request', requestId),
        reference: request.reference,
        right,
        law: request.law,
        jurisdiction: request.jurisdiction,
        receivedAt: request.received_at.toISOString(),
        notSearched,
        erasedUnder: await erasedUnder(database, request),
        exportedTasks: exported.map((task) => task.id),
        exportedIdentifiers: exported.map((task) => task.identifier_id),
      };
    },
    onMade: (tx, requestId) => jobs.send(tx, requestAdvance, { request_id: requestId }),
    sendCode: (tx, requestId, number) => notify(tx, { requestId, template: 'verification_code', recipient: 'subject', occasion: exportCodeOccasion(number) }),
    onDeletionRefused: (tx, requestId) => openManualTask({ clock, notify }, tx, { requestId, taskId: null, code: 'EXPORT_NOT_DELETED' }),
    onDelivered: (tx, requestId, operator) => settleDelivery({ clock }, tx, requestId, operator),
    codeMinutes: config.identity.code_minutes,
    codeAttempts: config.identity.code_attempts,
  });
  return { exports, linkOrigin: storage.linkOrigin };
}
