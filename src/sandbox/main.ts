import { parseArgs } from 'node:util';
import { plantCloudPeople, startCloud, type Cloud, type CloudPorts } from './cloud.ts';
import { plantCrmPeople, startCrms, type CrmPorts, type Crms } from './crms.ts';
import { examplePeople, plantExamplePeople, startSandbox, type Sandbox, type SandboxPorts } from './index.ts';
import { pubsubNames } from './pubsub/index.ts';
import { purgeCredentials } from './purge/index.ts';
import { s3Credentials } from './s3/index.ts';
import { defaultAccount } from './twilio/index.ts';

type Ports = Required<SandboxPorts & CrmPorts & CloudPorts>;

/** Fixed, so that a configuration file can name them. */
const DEFAULT_PORTS: Ports = { stripe: 4101, twilio: 4102, segment: 4103, genesys: 4105, purge: 4106, hubspot: 4107, salesforce: 4108, zendesk: 4109, intercom: 4110, s3: 4111, gcs: 4112, pubsub: 4113, mail: 4104, smtp: 4125 };
const NAMES = Object.keys(DEFAULT_PORTS) as (keyof Ports)[];

const USAGE = `Usage: npm run sandbox -- ${NAMES.map((name) => `[--${name} PORT]`).join(' ')}

Starts the vendor simulators and the mail inbox on 127.0.0.1 and plants the example people.
Example: npm run sandbox -- --stripe 5101
`;

function readPorts(): Ports | 'help' {
  const flags = Object.fromEntries(NAMES.map((name) => [name, { type: 'string' as const }]));
  const values: Readonly<Record<string, unknown>> = parseArgs({ options: { ...flags, help: { type: 'boolean', short: 'h' } } }).values;
  if (values['help'] === true) return 'help';
  const portOf = (name: keyof Ports): number => {
    const text = values[name];
    if (typeof text !== 'string') return DEFAULT_PORTS[name];
    const port = Number(text);
    if (!/^\d+$/u.test(text) || port > 65_535) throw new Error(`--${name} must be a port number from 0 to 65535`);
    return port;
  };
  return Object.fromEntries(NAMES.map((name) => [name, portOf(name)])) as unknown as Ports;
}

const table = (lines: readonly (readonly string[])[]): string => {
  const widths = (lines[0] ?? []).map((_cell, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n');
};

function describeSandbox(sandbox: Sandbox, crms: Crms, cloud: Cloud): string {
  const rows = [
    ['Part', 'URL', 'Credential'],
    ['Stripe', sandbox.stripe.url, 'sk_test_sandbox (any sk_test_ or rk_test_ key)'],
    ['Twilio', sandbox.twilio.url, `${defaultAccount.accountSid} : ${defaultAccount.authToken}`],
    ['Segment', sandbox.segment.url, 'any token; space spa_sandbox'],
    ['Genesys', sandbox.genesys.url, 'sandbox-client : sandbox-client-secret'],
    ['Purge contract', sandbox.purge.url, `Bearer ${purgeCredentials.token}`],
    ['HubSpot', crms.hubspot.url, 'any token'],
    ['Salesforce', crms.salesforce.url, 'client : secret'],
    ['Zendesk', crms.zendesk.url, 'any API token'],
    ['Intercom', crms.intercom.url, 'any token'],
    ['S3', cloud.s3.url, `${s3Credentials.id} : ${s3Credentials.secret}; bucket files, path_style`],
    ['Cloud Storage', cloud.gcs.url, 'the key that POST /_sandbox/seed answers; bucket exports-bucket'],
    ['Pub/Sub', cloud.pubsub.url, `the key that POST /_sandbox/seed answers; ${pubsubNames.topic}`],
    ['Mail (read)', sandbox.mail.url, '-'],
    ['Mail (SMTP)', sandbox.mail.smtpUrl, '-'],
  ];
  const people = examplePeople.map((each) => [each.email, each.phone, each.stripeCustomerId, each.behaviour]);
  return `${table(rows)}\n\n${table([['E-mail', 'Phone', 'Stripe customer', 'What happens'], ...people])}\n\nPress Ctrl-C to stop.`;
}

async function main(): Promise<void> {
  let ports: Ports | 'help';
  try {
    ports = readPorts();
  } catch (error) {
    console.error((error as Error).message);
    console.error(USAGE);
    process.exitCode = 2;
    return;
  }
  if (ports === 'help') {
    console.log(USAGE);
    return;
  }
  let sandbox: Sandbox | undefined;
  let crms: Crms | undefined;
  let cloud: Cloud;
  try {
    sandbox = await startSandbox({ ports });
    crms = await startCrms(ports);
    cloud = await startCloud(ports);
  } catch (error) {
    await sandbox?.close();
    await crms?.close();
    const { code, port } = error as { code?: string; port?: number };
    console.error(code === 'EADDRINUSE' ? `Port ${port} is taken; choose another with the flags below.\n${USAGE}` : error);
    process.exitCode = 1;
    return;
  }
  plantExamplePeople(sandbox);
  plantCrmPeople(crms);
  plantCloudPeople(cloud);
  console.log(describeSandbox(sandbox, crms, cloud));
  const parts = [sandbox, crms, cloud];
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void Promise.all(parts.map(async (each) => each.close())));
}

await main();
