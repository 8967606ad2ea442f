import { asRecord } from './canonical-json.ts';
import { refuse, type Checked, type Refusal } from './result.ts';

/** What one system did about one identifier, and how it was seen. */
export interface StatementSystem {
  readonly system: string;
  readonly connector: string;
  readonly action: string;
  readonly outcome: string;
  /** `verified_absent`, `attested_by_vendor` or `unconfirmed`; null where nothing was erased. */
  readonly confirmation: string | null;
  readonly counts: Readonly<Record<string, number>>;
  /** How the data was disposed of in the words of NIST SP 800-88 Rev. 2 (clear, purge, destroy); null where nothing was. */
  readonly method: string | null;
  /** The identifier without its value: HMAC-SHA-256(nonce, kind ‖ ':' ‖ normal form) in hex. */
  readonly identifier: { readonly kind: string; readonly commitment: string };
  /** What stays, why, on which legal basis, and until when. */
  readonly residue: readonly { readonly what: string; readonly why: string; readonly legal_basis?: string | undefined; readonly until?: string | undefined; readonly count?: number | undefined }[];
  /** Facts that were seen on the way, as codes and counts: the mark on a customer before it was deleted. */
  readonly proof: Readonly<Record<string, string | number | boolean>>;
  readonly settled_at: string;
}

/** What a certificate states. It holds no identifier of the person. Times are ISO 8601 in UTC. */
export interface Statement {
  /** The request: its id in outside form, and the reference that the person was given. */
  readonly request: { readonly id: string; readonly reference: string };
  readonly right: string;
  readonly law: string;
  readonly jurisdiction: string | null;
  readonly controller: { readonly name: string; readonly contact: string };
  readonly received_at: string;
  readonly verified_at: string | null;
  readonly completed_at: string;
  readonly due_at: string;
  readonly verdict: string;
  /** Where the request asked only some systems: their names. Of every other one it claims nothing. */
  readonly limited_to?: readonly string[];
  readonly systems: readonly StatementSystem[];
  /** When the last backup that may hold the data will have expired. */
  readonly backups_expire_at?: string;
}

const isoUtc = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/u;
const hexHash = /^[0-9a-f]{64}$/u;
const badStatement = (why: string): Refusal => refuse('statement', `The statement ${why}`);
const isTime = (value: unknown): boolean => typeof value === 'string' && isoUtc.test(value);
const isTextOrNull = (value: unknown): boolean => value === null || (typeof value === 'string' && value !== '');

function hasTexts(record: Readonly<Record<string, unknown>> | undefined, names: readonly string[]): boolean {
  return record !== undefined && names.every((name) => typeof record[name] === 'string' && record[name] !== '');
}

function checkSystem(value: unknown): Refusal | undefined {
  const system = asRecord(value);
  if (system === undefined || !hasTexts(system, ['system', 'connector', 'action', 'outcome'])) return badStatement('lists a system without its action and outcome');
  if (!isTextOrNull(system['confirmation']) || !isTextOrNull(system['method']) || !isTime(system['settled_at'])) return badStatement('lists a system without how and when it was settled');
  const counts = asRecord(system['counts']);
  if (counts === undefined || Object.values(counts).some((count) => typeof count !== 'number' || count < 0)) return badStatement('lists a system without its counts');
  const identifier = asRecord(system['identifier']);
  const commitment = identifier?.['commitment'];
  if (!hasTexts(identifier, ['kind']) || typeof commitment !== 'string' || !hexHash.test(commitment)) return badStatement('lists a system without a commitment to the identifier');
  const { residue } = system;
  if (!Array.isArray(residue) || !(residue as readonly unknown[]).every((each) => hasTexts(asRecord(each), ['what', 'why']))) return badStatement('lists a system without what stays in it');
  return asRecord(system['proof']) === undefined ? badStatement('lists a system without its proof') : undefined;
}

/** Checks that a value has the shape of a statement, so that who shows it can rely on its fields. */
export function parseStatement(value: unknown): Checked<{ readonly statement: Statement }> {
  const record = asRecord(value);
  if (record === undefined) return badStatement('is not an object');
  if (!hasTexts(asRecord(record['request']), ['id', 'reference'])) return badStatement('does not name its request');
  if (!hasTexts(record, ['right', 'law', 'verdict']) || !isTextOrNull(record['jurisdiction'])) return badStatement('lacks its right, law, jurisdiction or verdict');
  if (!hasTexts(asRecord(record['controller']), ['name', 'contact'])) return badStatement('does not name the controller');
  for (const name of ['received_at', 'completed_at', 'due_at']) if (!isTime(record[name])) return badStatement(`lacks the time ${name}`);
  if (record['verified_at'] !== null && !isTime(record['verified_at'])) return badStatement('lacks the time verified_at');
  const { systems, limited_to: limitedTo } = record;
  if (limitedTo !== undefined && !(Array.isArray(limitedTo) && (limitedTo as readonly unknown[]).every((each) => typeof each === 'string' && each !== ''))) return badStatement('is limited to systems that it does not name');
  if (!Array.isArray(systems)) return badStatement('does not list its systems');
  for (const each of systems as readonly unknown[]) {
    const refusal = checkSystem(each);
    if (refusal !== undefined) return refusal;
  }
  return { ok: true, statement: value as Statement };
}
