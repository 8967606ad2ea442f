import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** Makes every kind of target in a process of its own, delivers to one where asked, and gives the packages that were loaded. */
async function packagesLoaded(deliverTo: 'nobody' | 'redis'): Promise<readonly string[]> {
  const script = `
    import { generateKeyPairSync } from 'node:crypto';
    import { registerHooks } from 'node:module';
    const loaded = new Set();
    registerHooks({ resolve: (specifier, context, next) => { if (!/^(?:[./]|node:|file:)/u.test(specifier)) loaded.add(specifier); return next(specifier, context); } });
    const { createTarget } = await import('./src/modules/events/targets/create-target.ts');
    const every = { attempts: 2, age_hours: 1 };
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const credentials = JSON.stringify({ client_email: 'a@b.example', private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) });
    const deps = { at: '/a', clock: { now: () => 0 }, acquire: async () => ({ allowed: true, waitMs: 0, remaining: 1 }) };
    const targets = [
      { ...every, kind: 'http', endpoint: 'https://example.com', method: 'POST', auth: { kind: 'bearer', token: 't' }, headers: {}, calls_per_second: 1, timeout_seconds: 1, allow_private_network: false },
      { ...every, kind: 'webhook', url: 'https://example.com', secret: 'whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=', timeout_seconds: 1, allow_private_network: false },
      { ...every, kind: 'eventbridge', region: 'eu-central-1', bus: 'default' },
      { ...every, kind: 'kafka', brokers: ['127.0.0.1:1'], topic: 't', tls: false },
      { ...every, kind: 'pubsub', topic: 'projects/p/topics/t', ordered: true, endpoint: 'https://pubsub.googleapis.com', credentials },
      { ...every, kind: 'redis', url: 'redis://127.0.0.1:1', stream: 's', length_max: 1000, projection_days: 30 },
    ].map((settings) => createTarget(settings, deps));
    const event = { id: 'i', seq: 1, type: 't', source: 's', at: 0, detail: {} };
    if (process.argv[1] === 'redis') await targets.at(-1).deliver([{ deliveryId: 'd', event, body: '{}', contentType: 'application/json', pathParameters: [] }], AbortSignal.timeout(5000));
    for (const each of targets) await each.close();
    console.log(JSON.stringify([...loaded]));
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script, deliverTo], { cwd: fileURLToPath(new URL('../../../', import.meta.url)), stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
  });
  await once(child, 'close');
  return JSON.parse(said) as readonly string[];
}

const clients = /^(?:ioredis|@aws-sdk\/|@google-cloud\/|@platformatic\/)/u;

test('a target loads its client’s library with its first delivery, so that a process that sends nothing has none in memory, and it ends by itself when all are closed', async () => {
  expect((await packagesLoaded('nobody')).filter((each) => clients.test(each))).toEqual([]);
  expect((await packagesLoaded('redis')).filter((each) => clients.test(each))).toEqual(['ioredis']);
});
