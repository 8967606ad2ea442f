import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutRuleCommand, EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { buildApplication, buildRouteMap, run, text_en } from '@stricli/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { command as destroy } from '../../../src/cli/commands/eventbridge/destroy/command.ts';
import { command as plan } from '../../../src/cli/commands/eventbridge/plan/command.ts';
import { command as provision } from '../../../src/cli/commands/eventbridge/provision/command.ts';
import { describeThrown, exitCodeOf } from '../../../src/cli/command-error.ts';
import type { CliContext } from '../../../src/cli/context.ts';
import { eventBridgeCredentials, startEventBridge, type EventBridgeSimulator } from '../../../src/sandbox/eventbridge/index.ts';
import { configText, secretValues, startReceiver, type Receiver } from './installation.ts';

let simulator: EventBridgeSimulator;
let receiver: Receiver;
let folder: string;
let configPath: string;

beforeEach(async () => {
  simulator = await startEventBridge();
  receiver = await startReceiver();
  folder = mkdtempSync(join(tmpdir(), 'quittance-eventbridge-'));
  configPath = join(folder, 'quittance.yaml');
  writeFileSync(configPath, configText(simulator.url, receiver.url));
});

afterEach(async () => {
  rmSync(folder, { recursive: true, force: true });
  await receiver.close();
  await simulator.close();
});

const app = buildApplication<CliContext>(buildRouteMap({ routes: { eventbridge: buildRouteMap({ routes: { plan, provision, destroy }, docs: { brief: 'EventBridge' } }) }, docs: { brief: 'Quittance' } }), {
  name: 'quittance',
  scanner: { caseStyle: 'allow-kebab-for-camel' },
  determineExitCode: exitCodeOf,
  localization: { text: { ...text_en, exceptionWhileRunningCommand: (thrown) => describeThrown(thrown) } },
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function quittance(arguments_: readonly string[], { stdin = '', env = {} }: { stdin?: string; env?: Record<string, string> } = {}): Promise<Ran> {
  let out = '';
  let err = '';
  const context: CliContext = {
    process: {
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      stdin: (async function* read() {
        yield stdin;
      })(),
      env: { QUITTANCE_CONFIG: configPath, ...secretValues, ...env },
      exitCode: null,
    },
    fetch: async () => Promise.reject(new TypeError('nobody is called')),
    now: () => Date.parse('2026-11-21T10:00:00Z'),
  };
  await run(app, ['eventbridge', ...arguments_], context);
  const code = Number(context.process.exitCode ?? 0);
  // What is printed has a secret never, whatever is asked.
  for (const secret of [secretValues.TOKEN, secretValues.PASSWORD, secretValues.CLIENT_SECRET, secretValues.AWS_SECRET]) expect(`${out}${err}`).not.toContain(secret);
  return { code, out, err };
}

describe('quittance eventbridge', () => {
  it('shows a plan and ends with 0 though there are differences, then none', async () => {
    const first = await quittance(['plan']);
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(first.out).toContain('+ rule quittance-redacted');
    expect(first.out).toContain('13 to create, 0 to update, 0 to delete, 0 unchanged');
    expect(first.out).toContain('events:PutEvents');
    expect(await quittance(['provision', '--yes'])).toMatchObject({ code: 0 });
    expect((await quittance(['plan'])).out).toContain('0 to create, 0 to update, 0 to delete, 13 unchanged');
  });

  it('gives machines JSON, in which secrets are references', async () => {
    const asJson = await quittance(['plan', '--json']);
    expect(asJson).toEqual(await quittance(['plan', '--format', 'json']));
    const value = JSON.parse(asJson.out) as { changes: unknown[]; resources: { connections: { auth: { secret: { reference: string } } }[] }; policies: unknown };
    expect(value.changes).toHaveLength(13);
    expect(value.resources.connections[0]?.auth.secret.reference).toBe('${env:TOKEN}');
    const provisioned = await quittance(['provision', '--yes', '--json']);
    expect(JSON.parse(provisioned.out)).toMatchObject({ ok: true });
  });

  it('gives templates without asking anybody', async () => {
    await simulator.close();
    for (const format of ['cloudformation', 'terraform']) {
      const { code, out } = await quittance(['plan', '--format', format]);
      expect(code).toBe(0);
      expect(JSON.parse(out)).toHaveProperty(format === 'terraform' ? 'resource' : 'Resources');
    }
    expect(await quittance(['plan'])).toMatchObject({ code: 1, err: expect.stringContaining('gave no answer') as string });
  });

  it('asks before it changes anything, and takes yes alone', async () => {
    for (const stdin of ['', 'y\n', 'no\n']) expect(await quittance(['provision'], { stdin })).toMatchObject({ code: 1, err: expect.stringContaining('nothing was changed') as string });
    expect(await quittance(['provision', '--json'])).toMatchObject({ code: 2, out: '' });
    expect(simulator.effects).toEqual([]);
    expect(await quittance(['provision'], { stdin: 'yes\n' })).toMatchObject({ code: 0 });
    expect(simulator.effects.length).toBeGreaterThan(10);
    expect(await quittance(['destroy'], { stdin: 'no\n' })).toMatchObject({ code: 1 });
    const destroyed = await quittance(['destroy', '--yes']);
    expect(destroyed).toMatchObject({ code: 0, out: expect.stringContaining('- rule quittance-redacted') as string });
    expect((await quittance(['plan'])).out).toContain('13 to create');
  });

  it('says in its exit code whether it was used wrongly or failed', async () => {
    expect(await quittance(['provision', '--yes'], { env: { TOKEN: '' } })).toMatchObject({ code: 2, err: expect.stringContaining('TOKEN') as string });
    writeFileSync(configPath, configText(simulator.url, receiver.url).replace(/ {2}eventbridge:[^]*?(?= {2}destinations:)/u, ''));
    expect(await quittance(['plan'])).toMatchObject({ code: 2, err: expect.stringContaining('/events/eventbridge') as string });
    writeFileSync(configPath, configText(simulator.url, receiver.url).replace('runs_rules: true', 'runs_rules: true\n    bus: nowhere'));
    expect(await quittance(['plan'])).toMatchObject({ code: 2, err: expect.stringContaining('create-event-bus --name nowhere') as string });
    writeFileSync(configPath, configText(simulator.url, receiver.url).replace('runs_rules: true', "runs_rules: true\n    account: '123456789012'"));
    expect(await quittance(['plan'])).toMatchObject({ code: 2, err: expect.stringContaining('/events/eventbridge/account') as string });
    writeFileSync(configPath, configText(simulator.url, receiver.url));
    const stranger = new EventBridgeClient({ region: 'eu-central-1', endpoint: simulator.url, credentials: { accessKeyId: eventBridgeCredentials.id, secretAccessKey: eventBridgeCredentials.secret } });
    await stranger.send(new PutRuleCommand({ Name: 'quittance-closed', EventPattern: '{"source":["theirs"]}' }));
    stranger.destroy();
    expect(await quittance(['plan'])).toMatchObject({ code: 1, err: expect.stringContaining('Not made by Quittance') as string });
  });

  it.each(['plan', 'provision', 'destroy'])('has help with an example for %s', async (verb) => {
    const { code, out } = await quittance([verb, '--help']);
    expect(code).toBe(0);
    expect(out).toContain(`quittance eventbridge ${verb}`);
  });
});
