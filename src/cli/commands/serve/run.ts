import { print, type CliContext } from '../../context.ts';

interface Flags {
  readonly services?: readonly string[];
  readonly sandbox: boolean;
}

/** Runs the server. The log goes to standard error as JSON lines. */
export async function run(this: CliContext, flags: Flags): Promise<void> {
  if (flags.sandbox) await startWithSandbox(this);
  const { main } = await import('../../../main.ts');
  await main(flags.services === undefined ? [] : [`--services=${flags.services.join(',')}`]);
}

/** Starts the simulators and sets what the example configuration refers to, unless it is set already. */
async function startWithSandbox(context: CliContext): Promise<void> {
  const { startSandbox, plantExamplePeople } = await import('../../../sandbox/index.ts');
  const { exampleConfigPath, sandboxEnvironment } = await import('../../sandbox-environment.ts');
  const sandbox = await startSandbox();
  plantExamplePeople(sandbox);
  for (const [name, value] of Object.entries({ QUITTANCE_CONFIG: exampleConfigPath, ...sandboxEnvironment(sandbox) })) process.env[name] ??= value;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void sandbox.close());
  print(context, `Simulators: Stripe ${sandbox.stripe.url}, Twilio ${sandbox.twilio.url}, Segment ${sandbox.segment.url}; mail ${sandbox.mail.url}`);
}
