import { readFileSync } from 'node:fs';
import { compose, serviceNames } from '../../src/composition.ts';
import { parseConfig } from '../../src/platform/config/load.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLog } from '../../src/platform/log.ts';

/**
 * The server as `quittance serve` runs it, but for one thing: at the n-th time that the boundary named in CRASH_AT (`name:n`) is reached,
 * the process kills itself with SIGKILL, which nothing can catch or tidy up after. Prints its URL when it listens.
 */
const [crashName, crashCount = '1'] = (process.env['CRASH_AT'] ?? '').split(':');
let seen = 0;
const settings = readSettings(process.env);
const quittance = await compose({
  settings,
  config: parseConfig(readFileSync(settings.configPath, 'utf8'), settings.configPath),
  services: serviceNames,
  log: createLog(settings.logLevel),
  boundary: (name) => {
    if (name !== crashName) return;
    seen += 1;
    if (seen === Number(crashCount)) process.kill(process.pid, 'SIGKILL');
  },
});
process.on('SIGTERM', () => void quittance.stop());
process.stdout.write(`${quittance.url ?? ''}\n`);
