import { z } from 'zod';
import { Failure } from '../failure.ts';
import { Secret } from '../secret.ts';

/** One setting of the process: its environment variable, what it must be, its default in words, and what it is for. */
export interface SettingDescription {
  readonly variable: string;
  readonly description: string;
  readonly fallback: string;
}

const port = z.coerce.number().int().min(0).max(65_535);
const postgresUrl = z.string().regex(/^postgres(ql)?:\/\//u, 'must be a postgres:// URL');
const httpUrl = z.url({ protocol: /^https?$/u }).transform((url) => url.replace(/\/$/u, ''));

const variables = {
  QUITTANCE_CONFIG: z.string().min(1).default('quittance.yaml').describe('Path of the configuration file.'),
  QUITTANCE_DATA_DIR: z.string().min(1).default('.quittance').describe('Folder of the embedded databases and of the keys made at the first start.'),
  QUITTANCE_DATABASE_URL: postgresUrl.optional().describe('The operational database; embedded when absent.'),
  QUITTANCE_AUDIT_DATABASE_URL: postgresUrl.optional().describe('The audit database, always another one; embedded when absent.'),
  QUITTANCE_HOST: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
  QUITTANCE_PORT: port.default(4000).describe('Port to listen on; 0 takes a free one.'),
  QUITTANCE_PUBLIC_URL: httpUrl.optional().describe('The URL that people and vendors reach this server by, for links.'),
  QUITTANCE_MASTER_KEY: z.string().min(1).optional().describe('The master key, 32 bytes in base64; made in the data folder when absent and embedded. Behind a comma, others that only open what they wrapped before.'),
  QUITTANCE_MASTER_KEY_FILE: z.string().min(1).optional().describe('A file that holds the master key; on further lines, others that only open what they wrapped before.'),
  QUITTANCE_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info').describe('The least severe level that is logged.'),
  QUITTANCE_KAFKA_BROKERS: z.string().regex(/^[^\s:,]+:\d{1,5}(,[^\s:,]+:\d{1,5})*$/u, 'must be host:port, several with commas between').optional().describe('The brokers of Kafka, for destinations and sources that name none.'),
  QUITTANCE_REDIS_URL: z.string().regex(/^rediss?:\/\//u, 'must be a redis:// or rediss:// URL').optional().describe('Redis, for destinations that name none.'),
  QUITTANCE_API_KEY: z.string().min(1).optional().describe('For the command line: the API key it calls the server with.'),
  QUITTANCE_URL: httpUrl.optional().describe('For the command line: the server it calls.'),
} as const;

const schema = z.strictObject(variables);

/** The settings of one process, frozen. */
export interface Settings {
  readonly configPath: string;
  readonly dataDir: string;
  readonly databaseUrl: Secret | undefined;
  readonly auditDatabaseUrl: Secret | undefined;
  readonly host: string;
  readonly port: number;
  readonly publicUrl: string | undefined;
  readonly masterKey: Secret | undefined;
  readonly masterKeyFile: string | undefined;
  readonly logLevel: string;
  readonly kafkaBrokers: readonly string[] | undefined;
  readonly redisUrl: Secret | undefined;
  readonly apiKey: Secret | undefined;
  readonly url: string | undefined;
}

/**
 * Reads the settings from the environment. Fails with `CONFIG_INVALID`, naming the variable, the rule and the remedy, never the value;
 * a `QUITTANCE_*` variable that is not known is an error, since it is most often a misspelt one.
 */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('QUITTANCE_') || value === undefined) continue;
    if (!Object.hasOwn(variables, name)) {
      throw new Failure('CONFIG_INVALID', `${name} is not a setting of Quittance; remove it or correct its name (known: ${Object.keys(variables).join(', ')})`);
    }
    given[name] = value;
  }
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Failure('CONFIG_INVALID', `${String(issue?.path[0])}: ${issue?.message ?? 'is not valid'}`);
  }
  const data = parsed.data;
  if ((data.QUITTANCE_DATABASE_URL === undefined) !== (data.QUITTANCE_AUDIT_DATABASE_URL === undefined)) {
    throw new Failure('CONFIG_INVALID', 'QUITTANCE_DATABASE_URL and QUITTANCE_AUDIT_DATABASE_URL go together: set both for PostgreSQL, or neither for the embedded databases');
  }
  if (data.QUITTANCE_DATABASE_URL !== undefined && data.QUITTANCE_DATABASE_URL === data.QUITTANCE_AUDIT_DATABASE_URL) {
    throw new Failure('CONFIG_INVALID', 'QUITTANCE_AUDIT_DATABASE_URL must name another database than QUITTANCE_DATABASE_URL');
  }
  if (data.QUITTANCE_MASTER_KEY !== undefined && data.QUITTANCE_MASTER_KEY_FILE !== undefined) {
    throw new Failure('CONFIG_INVALID', 'QUITTANCE_MASTER_KEY and QUITTANCE_MASTER_KEY_FILE exclude each other; set one');
  }
  const secret = (value: string | undefined): Secret | undefined => (value === undefined ? undefined : new Secret(value));
  return Object.freeze({
    configPath: data.QUITTANCE_CONFIG,
    dataDir: data.QUITTANCE_DATA_DIR,
    databaseUrl: secret(data.QUITTANCE_DATABASE_URL),
    auditDatabaseUrl: secret(data.QUITTANCE_AUDIT_DATABASE_URL),
    host: data.QUITTANCE_HOST,
    port: data.QUITTANCE_PORT,
    publicUrl: data.QUITTANCE_PUBLIC_URL,
    masterKey: secret(data.QUITTANCE_MASTER_KEY),
    masterKeyFile: data.QUITTANCE_MASTER_KEY_FILE,
    logLevel: data.QUITTANCE_LOG_LEVEL,
    kafkaBrokers: data.QUITTANCE_KAFKA_BROKERS?.split(','),
    redisUrl: secret(data.QUITTANCE_REDIS_URL),
    apiKey: secret(data.QUITTANCE_API_KEY),
    url: data.QUITTANCE_URL,
  });
}

/** Every setting with its description and default, for the generated reference. */
export function describeSettings(): readonly SettingDescription[] {
  return Object.entries(variables).map(([variable, type]) => {
    const parsed = type.safeParse(undefined);
    return { variable, description: type.description ?? '', fallback: parsed.success && parsed.data !== undefined ? String(parsed.data) : '' };
  });
}
