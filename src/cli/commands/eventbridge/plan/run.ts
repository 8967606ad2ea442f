import { loadConfig, processSecretSources } from '../../../../platform/config/load.ts';
import { readSettings } from '../../../../platform/config/settings.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { differenceJson, differenceLines } from '../show-difference.ts';

interface Flags extends JsonFlag {
  readonly format: 'text' | 'json' | 'cloudformation' | 'terraform';
}

/** Shows what is to be done at EventBridge, or prints it as a template. */
export async function run(this: CliContext, flags: Flags): Promise<void> {
  const { differenceAtEventBridge, eventBridgeTemplate } = await import('../../../../event-bridge.ts');
  const config = loadConfig(readSettings(this.process.env).configPath);
  if (!flags.json && (flags.format === 'cloudformation' || flags.format === 'terraform')) {
    printJson(this, eventBridgeTemplate(config, flags.format));
    return;
  }
  const difference = await differenceAtEventBridge({ config, secrets: processSecretSources(this.process.env), wait: async () => undefined, onStep: () => undefined });
  if (flags.json || flags.format === 'json') {
    printJson(this, differenceJson(difference));
    return;
  }
  print(this, ...differenceLines(difference));
  print(this, 'What Quittance itself must be allowed:', JSON.stringify(difference.resources.publisher, null, 2));
}
