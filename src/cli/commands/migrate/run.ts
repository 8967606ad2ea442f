import { readSettings } from '../../../platform/config/settings.ts';
import { createLog } from '../../../platform/log.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../context.ts';

/** Migrates both databases, and names what was applied. */
export async function run(this: CliContext, flags: JsonFlag): Promise<void> {
  const settings = readSettings(this.process.env);
  const { migrateAll } = await import('../../../composition.ts');
  const applied = await migrateAll(settings, createLog('error'));
  if (flags.json) printJson(this, { applied });
  else print(this, ...(applied.length === 0 ? ['Both databases are up to date.'] : applied.map((name) => `applied ${name}`)));
}
