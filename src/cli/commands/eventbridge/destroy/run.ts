import { setTimeout as wait } from 'node:timers/promises';
import { loadConfig, processSecretSources } from '../../../../platform/config/load.ts';
import { readSettings } from '../../../../platform/config/settings.ts';
import { CommandError } from '../../../command-error.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { createProgress } from '../../../terminal/progress.ts';
import { confirmed, differenceJson, differenceLines, isDone, refuseUnasked } from '../show-difference.ts';

interface Flags extends JsonFlag {
  readonly yes: boolean;
  readonly discardDeadLetters: boolean;
}

/** Shows what is there, asks, and deletes it. */
export async function run(this: CliContext, flags: Flags): Promise<void> {
  refuseUnasked(flags);
  const { destroyEventBridge } = await import('../../../../event-bridge.ts');
  const config = loadConfig(readSettings(this.process.env).configPath);
  const progress = createProgress(this.process.stderr, 'Deleting', this.now);
  const deps = { config, secrets: processSecretSources(this.process.env), wait: async (ms: number): Promise<void> => wait(ms), onStep: progress.at };
  let shown: unknown;
  const confirm: Parameters<typeof destroyEventBridge>[1] = async (difference) => {
    shown = differenceJson(difference);
    if (!flags.json) print(this, ...differenceLines(difference));
    return flags.yes || isDone(difference) || confirmed(this, 'All this is deleted at Amazon.');
  };
  let isConfirmed: boolean;
  try {
    isConfirmed = await destroyEventBridge(deps, confirm, { discardDeadLetters: flags.discardDeadLetters });
  } finally {
    progress.end();
  }
  if (!isConfirmed) throw new CommandError(exitCodes.failed, 'nothing was changed');
  if (flags.json) printJson(this, { ok: true, ...(shown as object) });
  else print(this, 'Nothing of Quittance is left there.');
}
