import { setTimeout as pause } from 'node:timers/promises';
import { createApiClient, readAnswer } from '../../../api-client.ts';
import { keysSchema, type MasterKey } from '../../../api-schemas.ts';
import { CommandError } from '../../../command-error.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { createProgress } from '../../../terminal/progress.ts';

const lookMs = 500;
/** A batch takes milliseconds. After this long without one no worker is at it, or what is left does not open. */
const standstillMs = 60_000;

const leftOf = (keys: readonly MasterKey[]): number => keys.reduce((sum, key) => sum + (key.role === 'other' ? key.request_keys + key.system_keys : 0), 0);

/** Starts the rotation and follows it to its end. */
export async function run(this: CliContext, flags: JsonFlag): Promise<void> {
  const api = createApiClient(this);
  const progress = createProgress(this.process.stderr, 'rewrapping', this.now);
  let { master_keys: keys } = readAnswer(keysSchema, await api.post('/v1/keys/rewrap', {}));
  const total = leftOf(keys);
  let movedAt = this.now();
  try {
    for (let left = total; left > 0; ) {
      await pause(lookMs);
      keys = readAnswer(keysSchema, await api.get('/v1/keys')).master_keys;
      const now = leftOf(keys);
      if (now !== left) movedAt = this.now();
      left = now;
      progress.at(Math.max(0, total - left), total);
      if (left > 0 && this.now() - movedAt > standstillMs) {
        throw new CommandError(exitCodes.failed, `${left} keys are left and nothing moved for a minute: see that a process with the service worker runs, has this configuration, and does not log that a key does not open; then run this again`);
      }
    }
  } finally {
    progress.end();
  }
  const current = keys.find((key) => key.role === 'current');
  const removable = keys.filter((key) => key.role === 'other').map((key) => key.id);
  if (flags.json) printJson(this, { rewrapped: total, current: current?.id, removable, master_keys: keys });
  else print(this, `${total} keys were brought under master key ${current?.id ?? ''}.`, ...removable.map((id) => `Master key ${id} wraps nothing any more and can be taken out of the configuration.`));
}
