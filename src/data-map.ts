import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { checkDataMap, findingCodes, scanDatabase, type DataMapCheck, type FindingCode } from './connectors/database/index.ts';
import { ownSettings } from './modules/connections/index.ts';
import type { ConfigDocument } from './platform/config/document.ts';
import { resolveSecret, resolveSecrets, type SecretSources } from './platform/config/load.ts';
import { isFailure } from './platform/failure.ts';

/** The check of one connection's data map. */
export interface CheckedMap extends DataMapCheck {
  readonly connection: string;
}

/** Every code that a check may find, and why it is refused. */
export const dataMapRules: Readonly<Record<FindingCode, string>> = findingCodes;

/**
 * Checks the data map of every database connection, each against its database where that can be reached. A secret that is not set leaves the database
 * out. Fails with `CONFIG_INVALID` where a connection is no configuration at all.
 */
export async function checkDataMaps(config: ConfigDocument, secrets: SecretSources): Promise<readonly CheckedMap[]> {
  const databases = Object.entries(config.connections).filter(([, { connector }]) => connector === 'database');
  return Promise.all(
    databases.map(async ([name, each]) => {
      const at = `/connections/${name}`;
      const own = ownSettings(name, each);
      const { settings, unresolved } = resolve(own, at, secrets);
      return { connection: name, ...(await checkDataMap(settings, at, unresolved)) };
    }),
  );
}

function resolve(own: Readonly<Record<string, unknown>>, at: string, secrets: SecretSources): { readonly settings: Readonly<Record<string, unknown>>; readonly unresolved?: string } {
  try {
    return { settings: resolveSecrets(own, at, secrets) as Readonly<Record<string, unknown>> };
  } catch (error) {
    if (!isFailure(error)) throw error;
    return { settings: own, unresolved: error.detail };
  }
}

/** Drafts a declaration from a live schema; the URL may be a reference to a secret. Fails with `CONFIG_INVALID` and as a connection does. */
export async function draftDataMap(url: string, secrets: SecretSources): Promise<string> {
  return scanDatabase(resolveSecret(url, 'the URL', secrets));
}

/** Gives the line of a configuration file, counted from 1, on which a place stands, or the nearest place around it. */
export function lineOf(text: string, path: readonly string[]): number {
  const counter = new LineCounter();
  let node: unknown = parseDocument(text, { lineCounter: counter }).contents;
  let line = 1;
  for (const name of path) {
    if (isSeq(node)) {
      node = node.items[Number(name)];
    } else if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === name);
      if (pair === undefined) break;
      if (isScalar(pair.key) && pair.key.range) line = counter.linePos(pair.key.range[0]).line;
      node = pair.value;
    } else {
      break;
    }
  }
  return line;
}
