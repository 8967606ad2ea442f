import type { TestedRule } from '../../../../event-rules.ts';
import { loadConfig } from '../../../../platform/config/load.ts';
import { readSettings } from '../../../../platform/config/settings.ts';
import { CommandError } from '../../../command-error.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { readFileOrExplain } from '../../../read-file.ts';

interface Flags extends JsonFlag {
  readonly event: string;
  readonly rule?: string;
}

/** Tests the rules of the configuration with an event from a file. */
export async function run(this: CliContext, flags: Flags): Promise<void> {
  const config = loadConfig(readSettings(this.process.env).configPath);
  if (flags.rule !== undefined && config.events.rules[flags.rule] === undefined) {
    throw new CommandError(exitCodes.misuse, `There is no rule ${flags.rule}; known: ${Object.keys(config.events.rules).join(', ')}`);
  }
  const text = (await readFileOrExplain(flags.event)).toString('utf8');
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch (error) {
    throw new CommandError(exitCodes.misuse, `${flags.event} is not JSON`, { cause: error });
  }
  const { testEventRules } = await import('../../../../event-rules.ts');
  const tested = testEventRules(config, event).filter(({ rule }) => flags.rule === undefined || rule === flags.rule);
  if (flags.json) printJson(this, { rules: tested });
  else print(this, ...(tested.length === 0 ? ['No rules are configured.'] : tested.flatMap(describeRule)));
  if (!tested.some(({ matched }) => matched)) this.process.exitCode = exitCodes.found;
}

const words = {
  matched: 'fits',
  differs: 'has values, none of which is asked for',
  missing: 'has no value',
  present: 'should be missing and is there',
  other_element: 'fits, but in another element of the array than the other fields',
} as const;

function describeRule({ rule, state, matched, explanation, kept_back: keptBack, targets }: TestedRule): readonly string[] {
  const isOff = state === 'disabled';
  const lines = [`${matched ? '✓' : '✗'} ${rule}${isOff ? ' (disabled)' : ''}: ${matched ? 'matches' : explanation.matched ? 'would match, and is disabled' : 'does not match'}`];
  for (const [index, { matched: fits, fields }] of explanation.branches.entries()) {
    if (explanation.matched && !fits) continue;
    if (explanation.branches.length > 1) lines.push(`    alternative ${index + 1} of ${explanation.branches.length}`);
    for (const { path, verdict, found } of fields) lines.push(`    ${verdict === 'matched' ? '✓' : '✗'} ${path} ${words[verdict]}${found.length === 0 ? '' : `: ${found.map((value) => JSON.stringify(value)).join(', ')}`}`);
  }
  if (keptBack.length > 0) lines.push(`    kept back, since the rule does not declare them: ${keptBack.join(', ')}`);
  for (const { id, destination, kind, recipient, content_type: type, body, is_json: isJson, unsafe } of targets) {
    lines.push(`    → ${id}: to ${destination} (${kind})${recipient === undefined ? '' : `, ${recipient}`}, ${type}`, `      ${body}`);
    if (!isJson) lines.push('      This is no JSON: the delivery would be a dead letter.');
    for (const each of unsafe) lines.push(`      <${each.name}> (${each.path}) is not safe there for any text: ${each.why}`);
  }
  return lines;
}
