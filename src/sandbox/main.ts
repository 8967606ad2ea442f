import { parseArgs } from 'node:util';
import { examplePeople, plantExamplePeople, startSandbox, type Sandbox, type SandboxPorts } from './index.ts';
import { defaultAccount } from './twilio/index.ts';

/** Fixed, so that a configuration file can name them. */
const DEFAULT_PORTS: Required<SandboxPorts> = { stripe: 4101, twilio: 4102, segment: 4103, mail: 4104, smtp: 4125 };

const USAGE = `Usage: npm run sandbox -- [--stripe PORT] [--twilio PORT] [--segment PORT] [--mail PORT] [--smtp PORT]

Starts the vendor simulators and the mail inbox on 127.0.0.1 and plants the example people.
Example: npm run sandbox -- --stripe 5101
`;

function readPorts(): Required<SandboxPorts> | 'help' {
  const option = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { stripe: option, twilio: option, segment: option, mail: option, smtp: option, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) return 'help';
  const portOf = (name: keyof SandboxPorts): number => {
    const text = values[name];
    if (text === undefined) return DEFAULT_PORTS[name];
    const port = Number(text);
    if (!/^\d+$/u.test(text) || port > 65_535) throw new Error(`--${name} must be a port number from 0 to 65535`);
    return port;
  };
  return { stripe: portOf('stripe'), twilio: portOf('twilio'), segment: portOf('segment'), mail: portOf('mail'), smtp: portOf('smtp') };
}

const table = (lines: readonly (readonly string[])[]): string => {
  const widths = (lines[0] ?? []).map((_cell, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n');
};

function describeSandbox(sandbox: Sandbox): string {
  const rows = [
    ['Part', 'URL', 'Credential'],
    ['Stripe', sandbox.stripe.url, 'sk_test_sandbox (any sk_test_ or rk_test_ key)'],
    ['Twilio', sandbox.twilio.url, `${defaultAccount.accountSid} : ${defaultAccount.authToken}`],
    ['Segment', sandbox.segment.url, 'any token; space spa_sandbox'],
    ['Mail (read)', sandbox.mail.url, '-'],
    ['Mail (SMTP)', sandbox.mail.smtpUrl, '-'],
  ];
  const people = examplePeople.map((each) => [each.email, each.phone, each.stripeCustomerId, each.behaviour]);
  return `${table(rows)}\n\n${table([['E-mail', 'Phone', 'Stripe customer', 'What happens'], ...people])}\n\nPress Ctrl-C to stop.`;
}

async function main(): Promise<void> {
  let ports: Required<SandboxPorts> | 'help';
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
  let sandbox: Sandbox;
  try {
    sandbox = await startSandbox({ ports });
  } catch (error) {
    const { code, port } = error as { code?: string; port?: number };
    console.error(code === 'EADDRINUSE' ? `Port ${port} is taken; choose another with the flags below.\n${USAGE}` : error);
    process.exitCode = 1;
    return;
  }
  plantExamplePeople(sandbox);
  console.log(describeSandbox(sandbox));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void sandbox.close());
}

await main();
