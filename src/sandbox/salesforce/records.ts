import type { FastifyRequest } from 'fastify';
import { paramOf, queryOf, type AddRoute, type Answer } from '../front-door.ts';
import type { SimulatorContext } from '../simulator.ts';
import { salesforceRefusal } from './gate.ts';
import { parseSoql, type Condition } from './soql.ts';
import { ownerOf, PREFIXES, type ObjectName, type SalesforceRecord, type SalesforceState } from './state.ts';

const DAY_MS = 86_400_000;
/** Documented: deleted records can be restored for 15 days. */
const RECYCLE_BIN_MS = 15 * DAY_MS;
/** Documented for records that left the recycle bin: `queryAll` shows them for a day as a rule. */
const PURGED_VISIBLE_MS = DAY_MS;

/** Where the org's version of the API is. */
export const versionPath = '/services/data/:version';

function age(state: SalesforceState, context: SimulatorContext): void {
  for (const record of state.records.values()) {
    if (record.deletedAtMs !== undefined && record.purgedAtMs === undefined && record.deletedAtMs + RECYCLE_BIN_MS <= context.now()) {
      purge(context, record, record.deletedAtMs + RECYCLE_BIN_MS);
    }
    if (record.purgedAtMs !== undefined && record.purgedAtMs + PURGED_VISIBLE_MS <= context.now()) state.records.delete(record.id);
  }
}

/** Takes a record out of the recycle bin, or out of the org, for good. */
export function purge(context: SimulatorContext, record: SalesforceRecord, atMs: number): void {
  record.deletedAtMs ??= atMs;
  record.purgedAtMs = atMs;
  context.effect(`${record.object}.purged`, record.id);
}

/** True where Salesforce refuses to delete: a contact with cases that are not deleted. */
export function isHeld(state: SalesforceState, record: SalesforceRecord): boolean {
  return record.object === 'Contact' && [...state.records.values()].some((each) => each.object === 'Case' && each.deletedAtMs === undefined && each.fields['ContactId'] === record.id);
}

function valueOf(state: SalesforceState, record: SalesforceRecord, field: string): string | number | boolean | null {
  const [first = '', second] = field.split('.');
  const find = (fields: SalesforceRecord['fields'], name: string): string | number | boolean | null =>
    Object.entries(fields).find(([each]) => each.toLowerCase() === name.toLowerCase())?.[1] ?? null;
  if (second === undefined) {
    if (first.toLowerCase() === 'id') return record.id;
    return first.toLowerCase() === 'isdeleted' ? record.deletedAtMs !== undefined : find(record.fields, first);
  }
  const parent = first.toLowerCase() === 'contact' ? state.records.get(String(record.fields['ContactId'] ?? '')) : undefined;
  return parent === undefined ? null : find(parent.fields, second);
}

const same = (held: string | number | boolean | null, wanted: string | boolean | null): boolean =>
  typeof held === 'string' && typeof wanted === 'string' ? held.toLowerCase() === wanted.toLowerCase() : held === wanted;

function fits(state: SalesforceState, record: SalesforceRecord, groups: readonly (readonly Condition[])[]): boolean {
  return groups.some((group) => group.every(({ field, values }) => values.some((wanted) => same(valueOf(state, record, field), wanted))));
}

function page(state: SalesforceState, request: FastifyRequest, options: { cursor: string; fields: readonly string[]; found: readonly SalesforceRecord[]; start: number }): Answer {
  const { cursor, fields, found, start } = options;
  const asked = Number(/batchSize=(\d+)/u.exec(String(request.headers['sforce-query-options'] ?? ''))?.[1] ?? state.account.query_batch_size);
  const end = start + Math.min(asked, state.account.query_batch_size);
  const version = paramOf(request, 'version');
  const records = found.slice(start, end).map((each) => ({
    attributes: { type: each.object, url: `/services/data/${version}/sobjects/${each.object}/${each.id}` },
    ...Object.fromEntries(fields.map((field) => [field, valueOf(state, each, field)])),
  }));
  const more = end < found.length ? { nextRecordsUrl: `/services/data/${version}/query/${cursor}-${end}` } : {};
  return { body: { totalSize: found.length, done: end >= found.length, ...more, records } };
}

function query(state: SalesforceState, context: SimulatorContext, request: FastifyRequest, isAll: boolean): Answer {
  age(state, context);
  const { fields, object, groups } = parseSoql(queryOf(request).get('q') ?? '');
  const found = [...state.records.values()].filter((each) => each.object === object && (isAll || each.deletedAtMs === undefined) && fits(state, each, groups));
  for (const record of found) state.sentinels.visit(ownerOf(record));
  state.sequence += 1;
  const cursor = `01g${String(state.sequence).padStart(12, '0')}AAA`;
  state.cursors.set(cursor, { fields, found });
  return page(state, request, { cursor, fields, found, start: 0 });
}

function nextRecords(state: SalesforceState, request: FastifyRequest): Answer {
  const [, cursor = '', start] = /^(.+)-(\d+)$/u.exec(paramOf(request, 'cursor')) ?? [];
  const kept = state.cursors.get(cursor);
  if (kept === undefined) throw salesforceRefusal(400, {}, 'INVALID_QUERY_LOCATOR');
  return page(state, request, { cursor, ...kept, start: Number(start) });
}

/** The record that a path names, after its sentinel; one in the recycle bin is refused as deleted, one that left it as unknown. */
function recordOf(state: SalesforceState, context: SimulatorContext, request: FastifyRequest): SalesforceRecord {
  age(state, context);
  const [object, id] = [paramOf(request, 'object'), paramOf(request, 'id')];
  const prefix = PREFIXES[object as ObjectName];
  if (prefix === undefined) throw salesforceRefusal(404);
  if (!/^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$/u.test(id) || !id.startsWith(prefix)) throw salesforceRefusal(400, {}, 'MALFORMED_ID');
  const record = state.records.get(id);
  if (record === undefined || record.purgedAtMs !== undefined) throw salesforceRefusal(404);
  state.sentinels.visit(ownerOf(record));
  if (record.deletedAtMs !== undefined) throw salesforceRefusal(404, {}, 'ENTITY_IS_DELETED');
  return record;
}

function remove(state: SalesforceState, context: SimulatorContext, request: FastifyRequest): Answer {
  const record = recordOf(state, context, request);
  if (isHeld(state, record)) throw salesforceRefusal(400, {}, 'DELETE_FAILED');
  if (context.lies(request) || state.sentinels.lies(ownerOf(record))) return { status: 204 };
  record.deletedAtMs = context.now();
  context.effect(`${record.object}.deleted`, record.id);
  return { status: 204, lost: state.sentinels.losesAnswer(ownerOf(record)) };
}

/** Queries over what is there (`query`) or deleted too (`queryAll`), and one record: reading it, and its deletion into the recycle bin. */
export function recordRoutes(add: AddRoute, state: () => SalesforceState, context: SimulatorContext): void {
  add('GET', `${versionPath}/limits`, () => ({ body: { DailyApiRequests: { Max: state().account.requests_per_day, Remaining: state().account.requests_per_day } } }));
  add('GET', `${versionPath}/query`, (request) => query(state(), context, request, false));
  add('GET', `${versionPath}/queryAll`, (request) => query(state(), context, request, true));
  add('GET', `${versionPath}/query/:cursor`, (request) => nextRecords(state(), request));
  add('GET', `${versionPath}/sobjects/:object/:id`, (request) => {
    const record = recordOf(state(), context, request);
    return { body: { attributes: { type: record.object }, Id: record.id, ...record.fields } };
  });
  add('DELETE', `${versionPath}/sobjects/:object/:id`, (request) => remove(state(), context, request));
}
