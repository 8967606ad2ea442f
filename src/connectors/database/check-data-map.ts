import { Failure } from '../../connector-kit/index.ts';
import { checkSchema } from './check-schema.ts';
import { databaseShape } from './config.ts';
import { readDataMap, type Finding } from './data-map.ts';
import { readLiveSchema } from './live-schema.ts';
import { withSession } from './open-database.ts';

/** What a check of one connection's data map came to. */
export interface DataMapCheck {
  readonly findings: readonly Finding[];
  /** `map`: the database could not be looked at, and `why` says how; only the map itself was checked. */
  readonly against: 'database' | 'map';
  readonly why?: string;
}

/**
 * Checks the data map of a connection, against its database where that can be reached. `unresolved` says why the secrets of the connection are not known,
 * where they are not. Fails with `CONFIG_INVALID`, naming places below `at`, where it is no configuration of this connector at all.
 */
export async function checkDataMap(given: Readonly<Record<string, unknown>>, at: string, unresolved?: string): Promise<DataMapCheck> {
  const stand = { url: 'postgres://nobody@unresolved.invalid/unresolved', ...(given['hash_key'] === undefined ? {} : { hash_key: '0'.repeat(32) }) };
  const { tls: _unresolved, ...rest } = given;
  const parsed = databaseShape.safeParse(unresolved === undefined ? given : { ...rest, ...stand });
  if (!parsed.success) throw new Failure('CONFIG_INVALID', parsed.error.issues.map((issue) => `${at}/${issue.path.map(String).join('/')}: ${issue.message}`).join('; '));
  const config = parsed.data;
  const { findings } = readDataMap(config);
  if (unresolved !== undefined) return { findings, against: 'map', why: unresolved };
  try {
    return { findings: checkSchema(config, await withSession(config, readLiveSchema)), against: 'database' };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { findings, against: 'map', why: error.detail };
  }
}
