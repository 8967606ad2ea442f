import { readFileSync } from 'node:fs';
import type { CheckedMap } from '../../../../data-map.ts';
import type { ConfigDocument } from '../../../../platform/config/document.ts';
import { loadConfig, processSecretSources } from '../../../../platform/config/load.ts';
import { readSettings } from '../../../../platform/config/settings.ts';
import { version } from '../../../../version.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';

interface Flags extends JsonFlag {
  readonly format: 'text' | 'json' | 'sarif';
}

/** Checks every data map of the configuration. */
export async function run(this: CliContext, flags: Flags): Promise<void> {
  const { configPath } = readSettings(this.process.env);
  const { checkDataMaps, dataMapRules, lineOf } = await import('../../../../data-map.ts');
  const config = loadConfig(configPath);
  const checks = await checkDataMaps(config, processSecretSources(this.process.env));
  const disclosures = disclosuresOf(config.events);
  const found = checks.flatMap(({ connection, findings }) => findings.map(({ code, at, message }) => ({ code, path: ['connections', connection, ...at], message })));
  if (flags.json || flags.format === 'json') {
    printJson(this, { ok: found.length === 0, config: configPath, connections: checks.map(({ findings, ...each }) => ({ ...each, findings: findings.map((one) => ({ ...one, at: `/${['connections', each.connection, ...one.at].join('/')}` })) })), disclosures });
  } else if (flags.format === 'sarif') {
    const text = readFileSync(configPath, 'utf8');
    printJson(this, sarif(found.map((each) => ({ ...each, line: lineOf(text, each.path) })), configPath, dataMapRules));
  } else {
    for (const { code, path, message } of found) print(this, `/${path.join('/')}: ${message} (${code})`);
    print(this, ...summary(checks), ...disclosures.map(({ rule, destination, recipient, identifiers }) => `${rule}: its events tell ${recipient ?? destination} ${identifiers.length === 0 ? 'no identifier of a person' : `of a person ${identifiers.join(', ')}`}`));
  }
  if (found.length > 0) this.process.exitCode = exitCodes.found;
}

interface Disclosure {
  readonly rule: string;
  readonly destination: string;
  readonly recipient?: string;
  readonly identifiers: readonly string[];
}

/** What leaves with events, by the rules' own declaration: whom of the person's identifiers each destination is told. */
function disclosuresOf({ rules, destinations }: ConfigDocument['events']): readonly Disclosure[] {
  return Object.entries(rules).flatMap(([rule, { identifiers, targets }]) =>
    targets.map(({ destination }) => {
      const recipient = destinations[destination]?.recipient;
      return { rule, destination, ...(recipient === undefined ? {} : { recipient }), identifiers };
    }),
  );
}

function summary(checks: readonly CheckedMap[]): readonly string[] {
  if (checks.length === 0) return ['No database connections are configured.'];
  return checks.map(({ connection, findings, against, why }) => `${connection}: ${findings.length} findings, checked against ${against === 'database' ? 'its database' : `the map alone: ${why ?? 'the database was not looked at'}`}`);
}

interface SarifFinding {
  readonly code: string;
  readonly message: string;
  readonly line: number;
}

/** Static Analysis Results Interchange Format 2.1.0 (OASIS). */
function sarif(found: readonly SarifFinding[], uri: string, rules: Readonly<Record<string, string>>): unknown {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'quittance datamap check', version, rules: Object.entries(rules).map(([id, text]) => ({ id, shortDescription: { text } })) } },
        results: found.map(({ code, message, line }) => ({
          ruleId: code,
          level: 'error',
          message: { text: message },
          locations: [{ physicalLocation: { artifactLocation: { uri }, region: { startLine: line } } }],
        })),
      },
    ],
  };
}
