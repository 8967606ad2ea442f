import { parseArgs } from 'node:util';
import { compose, serviceNames, type ServiceName } from './composition.ts';
import { loadConfig } from './platform/config/load.ts';
import { readSettings } from './platform/config/settings.ts';
import { isFailure } from './platform/failure.ts';
import { createLog } from './platform/log.ts';

/** Exit codes: 0 done, 1 failed, 2 wrong use or configuration. */
const failed = 1;
const misuse = 2;

/**
 * Runs a server process until SIGINT or SIGTERM: it then stops taking work, finishes or gives back what it holds, and ends with 0.
 * `arguments_` are those after the program's name: `--services=http,worker,scheduler`.
 */
export async function main(arguments_: readonly string[]): Promise<void> {
  const settings = readSettings(process.env);
  const log = createLog(settings.logLevel);
  // Printed by Node, an error would show its message and all that hangs on it, which may quote a person.
  process.on('uncaughtException', (error: unknown) => {
    log.fatal({ err: error }, 'ended by a bug');
    process.exit(failed);
  });
  const services = readServices(arguments_);
  const quittance = await compose({ settings, config: loadConfig(settings.configPath), services, log });
  log.info({ services, url: quittance.url }, 'started');
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    quittance.stop().then(
      () => log.info('stopped'),
      (error: unknown) => {
        log.error({ err: error }, 'did not stop cleanly');
        process.exitCode = failed;
      },
    );
  };
  process.on('SIGINT', () => stop('SIGINT'));
  process.on('SIGTERM', () => stop('SIGTERM'));
}

function readServices(arguments_: readonly string[]): readonly ServiceName[] {
  const { values } = parseArgs({ args: [...arguments_], options: { services: { type: 'string', default: serviceNames.join(',') } } });
  const given = values.services.split(',');
  const unknown = given.find((each) => !(serviceNames as readonly string[]).includes(each));
  if (unknown !== undefined) throw new RangeError(`--services takes ${serviceNames.join(', ')}`);
  return given as ServiceName[];
}

if (import.meta.main) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    const text = isFailure(error) ? error.detail : error instanceof Error ? error.message : String(error);
    process.stderr.write(`quittance: ${text}\n`);
    process.exitCode = isFailure(error) && error.code === 'CONFIG_INVALID' ? misuse : failed;
  });
}
