import { existsSync, readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { Failure } from '../failure.ts';
import { documentSchema, type ConfigDocument } from './document.ts';

/** Where secrets come from: the environment and the file system, replaceable in tests. */
export interface SecretSources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string;
}

/** Secrets from the process's environment and from files. */
export const processSecretSources = (environment: Readonly<Record<string, string | undefined>>): SecretSources => ({
  environment,
  readFile: (path) => readFileSync(path, 'utf8'),
});

/** Resolves `${env:NAME}` and `${file:/path}`; any other text is answered as it is. Fails with `CONFIG_INVALID` naming what is missing. */
export function resolveSecret(reference: string, at: string, sources: SecretSources): string {
  const match = /^\$\{(env|file):([^}]+)\}$/u.exec(reference);
  if (match === null) return reference;
  const [, kind, name = ''] = match;
  if (kind === 'env') {
    const value = sources.environment[name];
    if (value === undefined || value === '') throw new Failure('CONFIG_INVALID', `${at} needs the environment variable ${name}, which is not set`);
    return value;
  }
  try {
    return sources.readFile(name).trim();
  } catch (error) {
    throw new Failure('CONFIG_INVALID', `${at} needs the file ${name}, which cannot be read`, { cause: error });
  }
}

/** Resolves every secret reference inside a value of the configuration. */
export function resolveSecrets(value: unknown, at: string, sources: SecretSources): unknown {
  if (typeof value === 'string') return resolveSecret(value, at, sources);
  if (Array.isArray(value)) return value.map((each, index) => resolveSecrets(each, `${at}/${index}`, sources));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, resolveSecrets(each, `${at}/${key}`, sources)]));
  }
  return value;
}

/** Parses configuration text. Fails with `CONFIG_INVALID` that names the place and the rule, never the value. */
export function parseConfig(text: string, name: string): ConfigDocument {
  const document = parseDocument(text, { uniqueKeys: true });
  const problem = document.errors[0];
  if (problem !== undefined) {
    throw new Failure('CONFIG_INVALID', `${name}, line ${problem.linePos?.[0].line ?? '?'}: this is not valid YAML (${problem.code})`);
  }
  const parsed = documentSchema.safeParse(document.toJS({ maxAliasCount: 100 }));
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${name}: /${issue.path.map(String).join('/')}: ${issue.message}`);
    throw new Failure('CONFIG_INVALID', lines.join('; '));
  }
  return Object.freeze(parsed.data);
}

/** Reads and parses the configuration file. */
export function loadConfig(path: string): ConfigDocument {
  if (!existsSync(path)) {
    throw new Failure('CONFIG_INVALID', `There is no configuration file ${path}; set QUITTANCE_CONFIG or start from examples/01-main-job/quittance.yaml`);
  }
  return parseConfig(readFileSync(path, 'utf8'), path);
}
