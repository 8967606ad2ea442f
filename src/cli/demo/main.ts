import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { plantExamplePeople, startSandbox, type Sandbox } from '../../sandbox/index.ts';
import { connectApi } from '../api-client.ts';
import { exampleConfigPath, sandboxEnvironment } from '../sandbox-environment.ts';
import { renderElapsed } from '../terminal/progress.ts';
import { contactCentrePeople, playContactCentre } from './contact-centre.ts';
import { demoCases } from './demo-people.ts';
import { eventBusPeople, playEventBus } from './event-bus.ts';
import { createExpectations, type Expectation } from './expectations.ts';
import { lookAtProof } from './look-at-proof.ts';
import { lookAtVendors } from './look-at-vendors.ts';
import { ownUsersPeople, playOwnUsers } from './own-users.ts';
import { playRequests } from './play-requests.ts';
import { searchFolder } from './search-folder.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';

/** Where the demo keeps its server's data, its log and the certificates; made anew each time. */
const folder = fileURLToPath(new URL('../../../.quittance-demo', import.meta.url));
/** With --serve the server listens where the commands look for it. */
const servePort = '4000';
/** The whole demo may take this long; it takes about two minutes. */
const deadlineMs = 300_000;

const usage = `Usage: npm run demo [-- --serve]

Plays three erasure requests against simulators of Stripe, Twilio and Segment, one against a contact centre and the systems behind it, and an access
and an erasure request of one of 20,000 users of an application with its own database, and one whose completion goes over an event bus, and checks what
came of them.
  --serve   leave the server and the simulators running at the end, on port ${servePort}
Example: npm run demo -- --serve
`;

const say = (...lines: readonly string[]): void => void process.stdout.write(`${lines.join('\n')}\n`);

function readOptions(): { readonly serve: boolean } | undefined {
  try {
    const { values } = parseArgs({ options: { serve: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } } });
    if (!values.help) return { serve: values.serve };
    process.stdout.write(usage);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}`);
    process.exitCode = 2;
  }
  return undefined;
}

/** Whether the server of an earlier demo still works in the folder that is about to be made anew. */
function isRunning(): boolean {
  try {
    process.kill(Number(readFileSync(join(folder, 'data', 'process.lock'), 'utf8')), 0);
    return true;
  } catch {
    // No lock, or nobody behind it.
    return false;
  }
}

async function play(sandbox: Sandbox, server: ServerProcess, secret: string, startedAt: number): Promise<readonly Expectation[]> {
  const { all, expect } = createExpectations();
  const api = connectApi(server.url, () => readFileSync(join(folder, 'data', 'operator.key'), 'utf8').trim(), globalThis.fetch);
  const signal = AbortSignal.timeout(deadlineMs);
  const played = await playRequests(api, { secret, expect, signal });
  say('', 'What the vendors really hold, by the simulators themselves', '');
  say(...lookAtVendors(sandbox, played, expect));
  say('', 'The proof', '');
  say(...(await lookAtProof(api, { sandbox, played, folder, relativeTo: process.cwd(), expect, signal })));
  say('', 'The contact centre: Genesys Cloud, and a CRM, speech analytics and workforce management behind it. The clock is moved, so that three days take seconds.', '');
  await playContactCentre({ folder: join(folder, 'data', 'contact-centre'), expect, say, signal });
  say('', 'The application’s own users: one of 20,000 asks, logged in, for her data, and then to be forgotten.', '');
  await playOwnUsers({ folder: join(folder, 'data', 'own-users'), users: 20_000, expect, say, signal });
  say('', 'The event bus: billing redacts a customer at Stripe, Amazon EventBridge carries the completion to the customer profile service, which anonymises her across channels.', '');
  await playEventBus({ folder: join(folder, 'data', 'event-bus'), expect, say, signal });
  say('', `All of it took ${renderElapsed(Date.now() - startedAt)}.`);
  return all;
}

function conclude(expectations: readonly Expectation[]): boolean {
  const missing = expectations.filter((each) => !each.seen);
  say('', ...expectations.map((each) => `  ${each.seen ? '✓' : '✗'} ${each.what}${each.detail === '' ? '' : ` (${each.detail})`}`), '');
  if (missing.length === 0) say(`All ${expectations.length} expected outcomes were observed.`);
  else say(`NOT OBSERVED: ${missing.length} of ${expectations.length} expected outcomes`, ...missing.map((each) => `  ✗ ${each.what}${each.detail === '' ? '' : ` (${each.detail})`}`), `The server's log: ${relative(process.cwd(), join(folder, 'server.log'))}`);
  return missing.length === 0;
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) return;
  const startedAt = Date.now();
  if (isRunning()) {
    process.stderr.write('A demo is running already, with --serve perhaps; stop it first\n');
    process.exitCode = 2;
    return;
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  say('Starting the simulators of Stripe, Twilio and Segment, a mail inbox, and the server on an empty embedded database …');
  const sandbox = await startSandbox();
  let server: ServerProcess | undefined;
  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('interrupted'));
  });
  try {
    plantExamplePeople(sandbox, demoCases.map((each) => each.person));
    // A regulation takes hours at Segment; here it may take one look. The rate limits are to be the sentinel's, not the account's own.
    sandbox.segment.seed({ account: { stage_ms: 500 } });
    sandbox.stripe.seed({ account: { requests_per_second: 1000 } });
    const environment = sandboxEnvironment(sandbox);
    const settings = { ...environment, QUITTANCE_CONFIG: exampleConfigPath, QUITTANCE_DATA_DIR: join(folder, 'data'), QUITTANCE_PORT: options.serve ? servePort : '0' };
    // The answer to the deletion of this customer is lost on the way back, once.
    sandbox.stripe.fault({ kind: 'lost', method: 'DELETE', path: `^/v1/customers/${demoCases[1].person.stripeCustomerId}$` });
    server = await startServerProcess(settings, join(folder, 'server.log'));
    say(`Running at ${server.url} after ${renderElapsed(Date.now() - startedAt)}.`, '');
    const result = await Promise.race([play(sandbox, server, environment['INTAKE_SECRET'] ?? '', startedAt), interrupted, server.ended]);
    if (result === 'interrupted') {
      process.exitCode = 130;
      return;
    }
    if (result === undefined) throw new Error(`The server ended; its log is ${join(folder, 'server.log')}`);
    const expectations = [...result];
    if (options.serve) {
      process.exitCode = conclude(expectations) ? 0 : 1;
      say('', `The server runs at ${server.url}. Ctrl-C stops it. Try:`, `  QUITTANCE_DATA_DIR=${relative(process.cwd(), join(folder, 'data'))} npx quittance manual-task list`);
      await Promise.race([interrupted, server.ended]);
      return;
    }
    await server.stop();
    expectations.push(await searchFolder(join(folder, 'data'), join(folder, 'server.log'), [...demoCases.flatMap(({ person }) => [person.email, person.phone, person.stripeCustomerId, person.userId, person.name]), ...contactCentrePeople, ...ownUsersPeople, ...eventBusPeople]));
    process.exitCode = conclude(expectations) ? 0 : 1;
  } finally {
    await server?.stop();
    await sandbox.close();
  }
}

main().then(
  // What was interrupted may still hold timers and streams; everything that matters is closed by now.
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
