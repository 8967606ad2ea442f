import { loadConfig, processSecretSources } from '../../../../platform/config/load.ts';
import { readSettings } from '../../../../platform/config/settings.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';

/** Checks the configuration as a start would. What is wrong is said by place and rule, never by value. */
export async function run(this: CliContext, flags: JsonFlag): Promise<void> {
  const settings = readSettings(this.process.env);
  const config = loadConfig(settings.configPath);
  const { checkConfig } = await import('../../../../composition.ts');
  const findings = checkConfig(config, settings, processSecretSources(this.process.env));
  const found = { config: settings.configPath, sources: Object.keys(config.sources), connections: Object.keys(config.connections), destinations: Object.keys(config.events.destinations), rules: Object.keys(config.events.rules) };
  if (flags.json) printJson(this, { ok: true, ...found, findings });
  else {
    print(this, `${found.config} holds: ${found.sources.length} sources (${found.sources.join(', ')}), ${found.connections.length} connections (${found.connections.join(', ')}), ${found.rules.length} rules for events to ${found.destinations.length} destinations; every secret it refers to is there`);
    for (const finding of findings) print(this, `finding: ${finding}`);
  }
}
