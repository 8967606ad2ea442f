import { Failure } from '../../connector-kit/index.ts';
import type { ErrorCode } from '../../contract/errors.ts';

/** What a driver's error says besides its text, which may hold values of a person and is never passed on. */
interface DriverError {
  readonly code?: unknown;
  readonly errno?: unknown;
  readonly sqlState?: unknown;
}

const why = {
  auth: ['CONNECTION_AUTH', 'The database refused the login'],
  denied: ['CONNECTION_REFUSED', 'The login lacks a right that this needs'],
  refused: ['CONNECTION_REFUSED', 'The database refused a statement'],
  unavailable: ['VENDOR_UNAVAILABLE', 'The database cannot be reached, or cannot serve this now'],
  locked: ['VENDOR_UNAVAILABLE', 'Somebody else holds a lock on a row that this needs'],
  timeout: ['VENDOR_TIMEOUT', 'A statement took longer than it may'],
  schema: ['CONFIG_INVALID', 'The database lacks a table, a column or a schema that the data map names'],
  unique: ['MASK_NOT_UNIQUE', 'The new value of a column is taken by another row; a mask that must be unique needs {id}'],
  foreignKey: ['CONFIG_INVALID', 'A row refers to one that is to be deleted, and the data map has no plan for it; run the data map’s check'],
  value: ['CONFIG_INVALID', 'The new value does not fit its column, by type, length or a rule of the database'],
} as const satisfies Record<string, readonly [ErrorCode, string]>;

/** A row that was to be deleted is still referred to. Where the map has a plan for every reference, the row that refers to it is new. */
export class StillReferenced extends Failure {
  constructor(said: string) {
    super('CONFIG_INVALID', `${why.foreignKey[1]} (${said})`);
  }
}

/** SQLSTATE by its beginning, the longest first (PostgreSQL's documentation, appendix A). */
const ofPostgres: readonly (readonly [string, keyof typeof why])[] = [
  ['28', 'auth'],
  ['42501', 'denied'],
  ['40', 'locked'],
  ['55P03', 'locked'],
  ['57014', 'timeout'],
  ['25P03', 'timeout'],
  ['3D', 'schema'],
  ['3F', 'schema'],
  ['42', 'schema'],
  ['23505', 'unique'],
  ['23503', 'foreignKey'],
  ['23001', 'foreignKey'],
  ['23', 'value'],
  ['22', 'value'],
  ['08', 'unavailable'],
  ['53', 'unavailable'],
  ['55', 'unavailable'],
  ['57', 'unavailable'],
  ['58', 'unavailable'],
];

/** Error numbers of MySQL and MariaDB (MySQL's error reference; MariaDB's from 1900 on). */
const ofMysql: ReadonlyMap<number, keyof typeof why> = new Map<number, keyof typeof why>([
  ...[1044, 1045, 1698, 3118, 3159].map((each) => [each, 'auth'] as const),
  ...[1142, 1143, 1227, 1370].map((each) => [each, 'denied'] as const),
  ...[1040, 1042, 1043, 1053, 1129, 1203, 1205, 1226, 1290].map((each) => [each, each === 1205 ? ('locked' as const) : ('unavailable' as const)] as const),
  [1213, 'locked'],
  ...[1317, 1969, 3024].map((each) => [each, 'timeout'] as const),
  ...[1049, 1054, 1146].map((each) => [each, 'schema'] as const),
  ...[1062, 1586].map((each) => [each, 'unique'] as const),
  ...[1216, 1217, 1451, 1452].map((each) => [each, 'foreignKey'] as const),
  ...[1048, 1136, 1264, 1265, 1292, 1364, 1366, 1406, 1411, 3140, 3819, 4025].map((each) => [each, 'value'] as const),
]);

const ofNetwork = /^(?:ECONN\w+|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH|PROTOCOL_\w+|ERR_STREAM\w*)$/u;
const ofTls = /^(?:ERR_TLS\w*|ERR_SSL\w*|CERT_\w+|\w*SELF_SIGNED\w*|DEPTH_ZERO\w*|UNABLE_TO_\w+|HANDSHAKE_\w+)$/u;

/**
 * Turns what a driver threw into a `Failure` without its text, its values and its cause. A `Failure` stays what it is; what is no error of a database
 * is undefined, and a bug.
 */
export function databaseFailure(thrown: unknown): Failure | undefined {
  if (thrown instanceof Failure) return thrown;
  if (!(thrown instanceof Error)) return undefined;
  const { code, errno, sqlState } = thrown as DriverError;
  if (typeof errno === 'number' && typeof sqlState === 'string') return made(ofMysql.get(errno) ?? 'refused', `error ${errno}`);
  const text = typeof code === 'string' ? code : '';
  if (ofNetwork.test(text)) return made('unavailable', text);
  if (ofTls.test(text) || /server does not support (?:SSL|secure)/iu.test(thrown.message)) return new Failure('CONNECTION_REFUSED', `The database has no TLS, or a certificate that is not trusted${text === '' ? '' : ` (${text})`}`);
  if (/^[0-9A-Z]{5}$/u.test(text)) return made(ofPostgres.find(([start]) => text.startsWith(start))?.[1] ?? 'refused', `SQLSTATE ${text}`);
  // What the drivers throw of their own has no code.
  if (/^(?:Connection terminated|timeout expired|timeout exceeded when trying to connect|Client was closed|Client has encountered a connection error|Can't add new command when connection is in closed state)/u.test(thrown.message)) return made('unavailable', 'closed');
  if (/^(?:SASL|SCRAM|Unknown authentication)/u.test(thrown.message)) return made('auth', 'SASL');
  return undefined;
}

function made(which: keyof typeof why, said: string): Failure {
  if (which === 'foreignKey') return new StillReferenced(said);
  const [code, detail] = why[which];
  return new Failure(code, `${detail} (${said})`);
}
