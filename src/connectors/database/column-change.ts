import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ColumnRule, KeepRule } from './config.ts';
import { addDuration, parseTime } from './duration.ts';
import type { LiveColumn } from './live-schema.ts';
import type { Row } from './open-database.ts';
import { canonical } from './values.ts';

/** What a change of a column depends on besides its value. */
export interface ChangeFacts {
  /** The person's key, where it is known. */
  readonly subjectId: string | undefined;
  readonly hashKey: string | undefined;
  /** When the request was received: what is kept without a date of its own is kept from then on. */
  readonly receivedAt: number;
  readonly now: number;
}

/**
 * Gives what a column must hold once the person is erased, as text. Applied to its own answer it gives the same, so that a batch that comes again
 * changes nothing, and a read-back can tell by the value alone. Null stays null, but for a constant.
 */
export function changedValue(rule: ColumnRule, column: LiveColumn, row: Row, facts: ChangeFacts): string | null {
  const value = row[column.name] ?? null;
  if (rule === null) return null;
  if ('constant' in rule) return constantText(rule.constant, column);
  if (value === null) return null;
  if ('mask' in rule) return rule.mask.replaceAll(/\{(partial_id|id)\}/gu, (_all, word: string) => (word === 'id' ? (facts.subjectId ?? 'unknown') : partialId(facts.subjectId)));
  if ('hash' in rule) return isHashed(value, facts.hashKey ?? '') ? value : hashed(value, facts.hashKey ?? '');
  if ('generalise' in rule) return generalised(rule.generalise, column, value);
  return endOfKeep(rule.keep, row, facts) <= facts.now ? null : value;
}

/** Says which of the row's columns must change, and to what; empty for a row that is anonymised already. */
export function changesOf(rules: Readonly<Record<string, ColumnRule>>, columns: ReadonlyMap<string, LiveColumn>, row: Row, facts: ChangeFacts): ReadonlyMap<string, string | null> {
  const changes = new Map<string, string | null>();
  for (const [name, rule] of Object.entries(rules)) {
    const column = columns.get(name);
    if (column === undefined) continue;
    const wanted = changedValue(rule, column, row, facts);
    if (canonical(column, wanted) !== canonical(column, row[name] ?? null)) changes.set(name, wanted);
  }
  return changes;
}

/** The moment at which a legal basis ends for a row, in milliseconds since the epoch. */
export function endOfKeep(keep: KeepRule, row: Row, { receivedAt }: Pick<ChangeFacts, 'receivedAt'>): number {
  if (keep.until !== undefined) return Date.parse(`${keep.until}T00:00:00Z`);
  const from = keep.from === undefined ? undefined : parseTime(row[keep.from] ?? '');
  return addDuration(from ?? receivedAt, keep.for ?? '1d');
}

function partialId(subjectId: string | undefined): string {
  return (subjectId ?? 'unknown').replaceAll(/[^0-9A-Za-z]/gu, '').slice(0, 8);
}

function constantText(constant: unknown, column: LiveColumn): string | null {
  if (column.kind === 'json') return JSON.stringify(constant);
  if (constant === null) return null;
  return typeof constant === 'string' ? constant : JSON.stringify(constant);
}

const hmac = (key: string, what: string, value: string): string => createHmac('sha256', key).update(`${what}\0${value}`, 'utf8').digest('hex');

/** 24 digits that say which values are equal and nothing else, and 8 that show that this was made here. */
function hashed(value: string, key: string): string {
  const digest = hmac(key, 'value', value).slice(0, 24);
  return `${digest}${hmac(key, 'mark', digest).slice(0, 8)}`;
}

function isHashed(value: string, key: string): boolean {
  if (!/^[0-9a-f]{32}$/u.test(value)) return false;
  return timingSafeEqual(Buffer.from(value.slice(24)), Buffer.from(hmac(key, 'mark', value.slice(0, 24)).slice(0, 8)));
}

type Generalisation = Extract<ColumnRule, { generalise: unknown }>['generalise'];

/** What cannot be made coarser in the way that is asked for becomes null: it must not stay as it is. */
function generalised(how: Generalisation, column: LiveColumn, value: string): string | null {
  if (how === 'year' || how === 'month') {
    const match = /^(\d{4})-(\d\d)-\d\d/u.exec(value);
    if (match === null) return null;
    return `${match[1]}-${how === 'year' ? '01' : match[2]}-01${column.kind === 'date' ? '' : ' 00:00:00'}`;
  }
  if (how === 'ip_network') return networkOf(value);
  if ('first' in how) return Array.from(value).slice(0, how.first).join('');
  if (/^-?\d+$/u.test(value)) {
    const [number, step] = [BigInt(value), BigInt(how.step)];
    const rest = ((number % step) + step) % step;
    return (number - rest).toString();
  }
  const number = Number(value);
  return Number.isFinite(number) ? String(Math.floor(number / how.step) * how.step) : null;
}

/** The /24 of an IPv4 address and the /48 of an IPv6 address, written as addresses. */
function networkOf(value: string): string | null {
  const address = value.replace(/\/\d+$/u, '');
  const four = /^(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}$/u.exec(address);
  if (four !== null) return `${four[1]}.0`;
  if (!URL.canParse(`http://[${address}]`)) return null;
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const [left, right] = [head === '' ? [] : head.split(':'), tail === undefined || tail === '' ? [] : tail.split(':')];
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  return new URL(`http://[${groups.slice(0, 3).join(':')}::]`).hostname.slice(1, -1);
}
