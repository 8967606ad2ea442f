import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import type { AuditEntry } from '../../src/contract/audit-entry.ts';
import type { Holds } from '../../src/contract/holds.ts';
import type { IdentifierId, RequestId, TaskId } from '../../src/contract/ids.ts';
import { createAuthenticate, guardRoutes } from '../../src/modules/access/index.ts';
import { createExports, registerExportRoutes, type Exports, type ExportsDeps, type ExportStorage, type RequestFactsForPackage } from '../../src/modules/exports/index.ts';
import { createLocalStorage } from '../../src/modules/exports/storage/local-storage.ts';
import { createVault, type NewIdentifier, type Vault } from '../../src/modules/identity/index.ts';
import { createLocalKeyProvider } from '../../src/platform/crypto/key-provider.ts';
import { loadSystemKeys } from '../../src/platform/crypto/system-keys.ts';
import type { Database, Tx } from '../../src/platform/db/database.ts';
import type { HttpServer } from '../../src/platform/http/server.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLog, type Log } from '../../src/platform/log.ts';
import { systemRandom } from '../../src/platform/random.ts';
import { Secret } from '../../src/platform/secret.ts';

export const apiKey = 'test-key-of-the-privacy-desk';
export const person = { email: 'ada@example.com', phone: '+12025550123' } as const;

/** What the shop's systems hold; `notes` of the desk is not declared. */
export const holds: Readonly<Record<string, Holds>> = {
  shop: {
    order: { category: 'orders', purpose: 'To deliver what was ordered', legal_basis: 'contract', retention: '7 years after the order', recipients: ['Parcel Example'], transfers: [], provided_by_subject: true, redact: [] },
    profile: { category: 'account', purpose: 'To run the account', legal_basis: 'contract', retention: 'Until the account is closed', recipients: [], transfers: ['US, standard contractual clauses'], provided_by_subject: true, redact: [] },
    score: { category: 'scoring', purpose: 'To assess the risk of a sale', legal_basis: 'legitimate_interests', retention: '90 days', recipients: [], transfers: [], provided_by_subject: false, redact: [] },
    fraud_rule: { category: 'fraud', purpose: 'To prevent fraud', legal_basis: 'legitimate_interests', retention: '1 year', recipients: [], transfers: [], provided_by_subject: false, redact: [], not_disclosed: { reason: 'It would show how fraud is detected.' } },
  },
  desk: {
    message: { category: 'messages', purpose: 'To answer questions', legal_basis: 'consent', retention: '2 years', recipients: [], transfers: [], provided_by_subject: true, redact: ['$.thread[*].from', '$.agent.name'] },
    file: { category: 'messages', purpose: 'To answer questions', legal_basis: 'consent', retention: '2 years', recipients: [], transfers: [], provided_by_subject: true, redact: [] },
  },
};

/** Exports over a database, a vault with a person, and a clock that a test moves. */
export interface ExportsWorld {
  /** Undefined in a world without HTTP, as a worker is. */
  readonly app: HttpServer | undefined;
  readonly database: Database;
  readonly vault: Vault;
  readonly exports: Exports;
  readonly storage: ExportStorage;
  readonly folder: string;
  readonly clock: { now: () => number; advance: (ms: number) => void };
  readonly entries: AuditEntry[];
  readonly jobs: { name: string; data: Record<string, string> }[];
  readonly made: { requestId: RequestId; state: string }[];
  readonly codes: { requestId: RequestId; number: number }[];
  readonly refusals: RequestId[];
  readonly logged: string[];
  /** What the package says of requests from now on. */
  readonly facts: { right: 'access' | 'portability'; law: string };
  /** Tasks that an operator skipped; all others with pages ended as exported. */
  readonly skipped: Set<TaskId>;
  /** Identifiers with an exported task, beside those that are proven. */
  readonly exportedIdentifiers: Set<IdentifierId>;
  /** Opens a request of the person. */
  readonly openRequest: (identifiers?: Readonly<Record<string, string>>, more?: readonly NewIdentifier[]) => Promise<RequestId>;
  readonly addPage: (requestId: RequestId, page: { taskId: TaskId; connection: string; ordinal: number; epoch?: number; records: readonly { type: string; data: unknown }[] }) => Promise<boolean>;
  readonly make: (requestId: RequestId) => Promise<void>;
  readonly inTx: <Result>(work: (tx: Tx) => Promise<Result>) => Promise<Result>;
  readonly tokenOf: (requestId: RequestId) => Promise<string>;
  readonly codeOf: (requestId: RequestId) => Promise<string>;
  /** Names of the files in the store. */
  readonly files: () => readonly string[];
  readonly newTask: () => TaskId;
  readonly close: () => Promise<void>;
}

/** What differs from world to world. */
export interface WorldOptions {
  readonly storage?: (folder: string) => ExportStorage;
  readonly encryption?: 'age' | 'storage';
  readonly changes?: Partial<ExportsDeps>;
  /** False for a world as a worker is: what serves HTTP is not even loaded. */
  readonly http?: false;
  /** Of a world that another process made before, and goes on in. */
  readonly before?: { readonly folder: string; readonly masterKey: Buffer };
}

async function serve(exports: Exports, storage: ExportStorage, log: Log): Promise<HttpServer> {
  const { createHttpServer } = await import('../../src/platform/http/server.ts');
  const authenticate = createAuthenticate([{ name: 'desk', verify: 'source', key: new Secret(apiKey) }]);
  const app = await createHttpServer(log, '0.0.0');
  guardRoutes(app, authenticate);
  registerExportRoutes(app, { exports, authenticate, controllerName: 'Shop', linkOrigin: storage.linkOrigin, log });
  await app.ready();
  return app;
}

/** Makes a world on a migrated database; who made it closes it. */
export async function openExportsWorld(database: Database, options: WorldOptions = {}): Promise<ExportsWorld> {
  const folder = options.before?.folder ?? mkdtempSync(join(tmpdir(), 'quittance-exports-'));
  let nowMs = Date.parse('2026-11-21T10:00:00Z');
  const clock = { now: () => nowMs, advance: (ms: number) => void (nowMs += ms) };
  const keyProvider = createLocalKeyProvider(options.before?.masterKey ?? randomBytes(32));
  if (options.before === undefined) await database.execute('TRUNCATE system_key');
  const systemKeys = await loadSystemKeys(database, keyProvider);
  const vault = createVault({ database, keyProvider, systemKeys, clock });
  const storage = options.storage?.(folder) ?? createLocalStorage(join(folder, 'exports'));
  const [entries, jobs, made, codes, refusals, logged]: [AuditEntry[], ExportsWorld['jobs'], ExportsWorld['made'], ExportsWorld['codes'], RequestId[], string[]] = [[], [], [], [], [], []];
  const log = createLog('debug', { write: (line: string) => void logged.push(line) });
  const facts: ExportsWorld['facts'] = { right: 'access', law: 'gdpr' };
  const [skipped, exportedIdentifiers] = [new Set<TaskId>(), new Set<IdentifierId>()];
  const pagedTasks = async (requestId: RequestId): Promise<readonly TaskId[]> => {
    const { rows } = await sql<{ task_id: TaskId }>`SELECT DISTINCT task_id FROM export_part WHERE request_id = ${requestId}`.execute(database.read());
    return rows.map((row) => row.task_id).filter((id) => !skipped.has(id));
  };
  const describeRequest = async (requestId: RequestId): Promise<RequestFactsForPackage> => ({
    requestId: `req_of_${requestId.slice(0, 8)}`,
    reference: 'Q-TEST-0001',
    jurisdiction: null,
    receivedAt: '2026-11-20T09:00:00.000Z',
    notSearched: [{ system: 'legacy', reason: 'unsupported' }],
    erasedUnder: undefined,
    exportedTasks: await pagedTasks(requestId),
    exportedIdentifiers: [...exportedIdentifiers],
    ...facts,
  });
  const exports = createExports({
    database,
    clock,
    random: systemRandom,
    log,
    jobs: { send: async (_tx, kind, data) => void jobs.push({ name: kind.name, data }), poke: async (kind, data) => void jobs.push({ name: kind.name, data }) },
    vault,
    systemKeys,
    storage,
    encryption: options.encryption ?? 'age',
    record: async (_tx, entry) => void entries.push(entry),
    systems: Object.fromEntries(Object.entries(holds).map(([name, each]) => [name, { title: name === 'shop' ? 'Web shop' : 'Help desk', holds: each }])),
    controller: { name: 'Shop', contact: 'privacy@shop.example', dpo: 'dpo@shop.example' },
    complaint: undefined,
    automatedDecisions: undefined,
    describeRequest,
    onMade: async (_tx, requestId, state) => void made.push({ requestId, state }),
    sendCode: async (_tx, requestId, number) => void codes.push({ requestId, number }),
    onDelivered: async () => undefined,
    onDeletionRefused: async (_tx, requestId) => void refusals.push(requestId),
    codeMinutes: 30,
    codeAttempts: 5,
    publicUrl: () => 'https://privacy.shop.example',
    ...options.changes,
  });
  const app = options.http === false ? undefined : await serve(exports, storage, log);

  const openRequest: ExportsWorld['openRequest'] = async (identifiers = person, more = []) => {
    const requestId = newId('request');
    const prepared = await vault.prepare(requestId);
    await database.transaction(async (tx) => {
      const at = new Date(nowMs);
      await sql`INSERT INTO privacy_request ${sql.raw('(id, reference, source, source_id, payload_hash, request_right, law, status, vouched, moved_at, received_at, due_at, wake_at)')}
        VALUES (${requestId}, ${`Q-${requestId.slice(-12)}`}, 'shop', ${randomBytes(32)}, ${randomBytes(32)}, 'access', 'gdpr', 'executing', true, ${at}, ${at}, ${at}, ${at})`.execute(tx as never);
      const kinds = Object.entries(identifiers) as [('email' | 'phone'), string][];
      await vault.create(tx, prepared, [...kinds.map(([kind, value]) => ({ kind, value, foundBy: 'given', confidence: 1 })), ...more]);
    });
    return requestId;
  };
  const make = async (requestId: RequestId): Promise<void> => {
    await database.transaction((tx) => exports.make(tx, requestId));
    await exports.runMaking(requestId, new AbortController().signal);
  };
  return {
    app, database, vault, exports, storage, folder, clock, entries, jobs, made, codes, refusals, logged, facts, skipped, exportedIdentifiers, openRequest, make,
    addPage: async (requestId, page) => exports.addPage(await vault.unlock(requestId), { requestId, epoch: 1, ...page }),
    inTx: (work) => database.transaction(work),
    tokenOf: async (requestId) => {
      const link = await exports.delivery.linkToSend(requestId);
      if (link === undefined) throw new Error('There is no link');
      return link.url.split('/').at(-1) ?? '';
    },
    codeOf: async (requestId) => {
      const number = codes.findLast((each) => each.requestId === requestId)?.number ?? 0;
      const code = await database.transaction((tx) => exports.delivery.codeToSend(tx, requestId, number));
      if (code === undefined) throw new Error('There is no code');
      return code;
    },
    files: () => (existsSync(join(folder, 'exports')) ? readdirSync(join(folder, 'exports')) : []),
    newTask: () => newId('task'),
    close: async () => {
      await app?.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
