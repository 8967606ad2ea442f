import { readDataMap, type DataMap, type Finding } from './data-map.ts';
import { checkSchema } from './check-schema.ts';
import type { DatabaseConfig } from './config.ts';
import { readLiveSchema, type LiveSchema } from './live-schema.ts';
import { withSession, type Session } from './open-database.ts';
import { Failure } from '../../connector-kit/index.ts';

/** A company's database: how it is declared, how it is, and the order of an erasure in it. */
export interface System {
  readonly config: DatabaseConfig;
  readonly map: DataMap;
  readonly schema: LiveSchema;
}

/** Opens the database for one step, and sees first that the map can be carried out on it as it is now. Fails with `CONFIG_INVALID` where it cannot. */
export async function withSystem<Result>(config: DatabaseConfig, work: (system: System, session: Session) => Promise<Result>): Promise<Result> {
  return withSession(config, async (session) => work(await readSystem(config, session), session));
}

/** Reads the database as it is now, and sees that the map can be carried out on it. Fails with `CONFIG_INVALID` where it cannot. */
export async function readSystem(config: DatabaseConfig, session: Session): Promise<System> {
  const schema = await readLiveSchema(session);
  refuse(checkSchema(config, schema));
  return { config, map: readDataMap(config), schema };
}

function refuse(findings: readonly Finding[]): void {
  if (findings.length === 0) return;
  const shown = findings.slice(0, 5).map(({ message }) => message);
  const more = findings.length > shown.length ? `; and ${findings.length - shown.length} more` : '';
  throw new Failure('CONFIG_INVALID', `The data map does not fit the database: ${shown.join('; ')}${more}`);
}
