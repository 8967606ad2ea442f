import { readFileSync } from 'node:fs';
import { compose, serviceNames, type ServiceName } from '../../src/composition.ts';
import { parseConfig } from '../../src/platform/config/load.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLog } from '../../src/platform/log.ts';
import { bugCode, type ToServer } from './child.ts';

/**
 * The server as `quittance serve` runs it, but for this: at the n-th time that the boundary named in CRASH_AT (`name:n`) is reached, the
 * process kills itself with SIGKILL, which nothing can catch or tidy up after; its clock is off by CLOCK_OFFSET_MS and moves when its parent
 * says so; it looks for what is due when its parent says so; and it ends with its parent. SERVICES names its services, all when absent.
 * Prints its URL, or an empty line without the service `http`, when it has started.
 */
let [crashName, crashCount = '1'] = (process.env['CRASH_AT'] ?? '').split(':');
let offsetMs = Number(process.env['CLOCK_OFFSET_MS'] ?? '0');
let seen = 0;
const settings = readSettings(process.env);
const log = createLog(settings.logLevel);
process.on('disconnect', () => process.exit(1));
process.on('uncaughtException', (error: unknown) => {
  log.fatal({ err: error }, 'ended by a bug');
  process.exit(bugCode);
});
const starting = compose({
  settings,
  config: parseConfig(readFileSync(settings.configPath, 'utf8'), settings.configPath),
  services: process.env['SERVICES'] === undefined ? serviceNames : (process.env['SERVICES'].split(',') as ServiceName[]),
  log,
  clock: { now: () => Date.now() + offsetMs },
  boundary: (name) => {
    if (name !== crashName) return;
    seen += 1;
    if (seen === Number(crashCount)) process.kill(process.pid, 'SIGKILL');
  },
});
// Without its database a process does not start; whoever supervises it starts it again.
const quittance = await starting.catch((error: unknown) => {
  log.error({ err: error }, 'did not start');
  return process.exit(1);
});
process.on('message', (told: ToServer) => {
  crashName = told.disarm === true ? undefined : crashName;
  offsetMs = told.offsetMs ?? offsetMs;
  if (told.sweep === true) quittance.sweep().catch((error: unknown) => log.warn({ err: error }, 'a sweep failed'));
});
process.once('SIGTERM', () => {
  quittance.stop().then(
    () => process.exit(0),
    (error: unknown) => {
      log.error({ err: error }, 'did not stop cleanly');
      process.exit(1);
    },
  );
});
process.stdout.write(`${quittance.url ?? ''}\n`);
