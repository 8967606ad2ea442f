import type { Quittance } from '../composition.ts';
import { loadConfig } from '../platform/config/load.ts';
import { readSettings } from '../platform/config/settings.ts';
import { createLog } from '../platform/log.ts';
import type { CliContext } from './context.ts';

/**
 * Opens the configured databases in this process, without any service, for as long as the work takes. An embedded database has one
 * process at a time: while a server uses it this fails with `CONFIG_INVALID`, which says so.
 */
export async function openLocal<Result>(context: CliContext, work: (quittance: Quittance) => Promise<Result>): Promise<Result> {
  const settings = readSettings(context.process.env);
  const config = loadConfig(settings.configPath);
  const { compose } = await import('../composition.ts');
  const quittance = await compose({ settings, config, services: [], log: createLog('error') });
  try {
    return await work(quittance);
  } finally {
    await quittance.stop();
  }
}
