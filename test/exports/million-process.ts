import { sql } from 'kysely';
import { openPostgres } from '../../src/platform/db/postgres.ts';
import type { RequestId, TaskId } from '../../src/contract/ids.ts';
import { openExportsWorld } from './exports-world.ts';

// A process that gathers and packs a million records, and says how far it is; its parent kills it on the way and starts it again.

const [url = '', folder = '', masterKey = '', request = '', first = '', second = '', records = '0'] = process.argv.slice(2);
const perPage = 1000;
const database = openPostgres(url, () => undefined);
const world = await openExportsWorld(database, { http: false, before: { folder, masterKey: Buffer.from(masterKey, 'hex') } });
const requestId = request as RequestId;
// Two tasks of one system, so that every record is remembered while repetitions are looked for.
const perTask = Number(records) / perPage / 2;
const say = (what: object): void => void process.stdout.write(`${JSON.stringify({ ...what, peakMb: Math.round(process.resourceUsage().maxRSS / 1024) })}\n`);

const kept = await sql<{ pages: number }>`SELECT count(*)::int AS pages FROM export_part WHERE request_id = ${requestId}`.execute(database.read());
const vault = await world.vault.unlock(requestId);
// The last page that is there comes again, as after a kill between the page and the task's cursor.
for (let number = Math.max(0, (kept.rows[0]?.pages ?? 0) - 1); number * perPage < Number(records); number += 1) {
  const page = Array.from({ length: perPage }, (_each, index) => {
    const id = number * perPage + index;
    return { type: 'order', data: { id, at: '2026-11-21T10:00:00Z', note: `order ${id} of Ada, left at the door`, total: { amount: id % 997, currency: 'EUR' }, lines: [{ sku: `sku-${id % 1000}`, count: 1 }] } };
  });
  const taskId = (number < perTask ? first : second) as TaskId;
  await world.exports.addPage(vault, { requestId, taskId, connection: 'shop', ordinal: number % perTask, epoch: 1, records: page });
  say({ number });
}
await database.transaction((tx) => world.exports.make(tx, requestId));
// This process is alone: what a killed one held is free.
await world.exports.recover();
say({ making: true });
await world.exports.runMaking(requestId, new AbortController().signal);
const status = await world.exports.statusOf(requestId);
say({ state: status?.state, records: status?.records });
await database.close();
