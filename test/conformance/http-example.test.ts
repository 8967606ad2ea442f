import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { createService } from '../../examples/purge-contract/server.ts';
import { createTestContext, eraseToEnd } from '../../src/connector-kit/conformance/index.ts';
import type { Connection } from '../../src/connector-kit/index.ts';
import { declarationSchema } from '../../src/connectors/http/declaration.ts';
import { httpConnector } from '../../src/connectors/http/index.ts';
import { readyDeclarations } from '../../src/connectors/http/declarations/index.ts';
import { parseConfig } from '../../src/platform/config/load.ts';

const common = ['connector', 'after', 'action', 'concurrency', 'calls_per_second', 'timeout_seconds', 'window_hours'];
const own = (connection: object): Record<string, unknown> => Object.fromEntries(Object.entries(connection).filter(([key]) => !common.includes(key)));
const read = (file: string): ReturnType<typeof parseConfig> => parseConfig(readFileSync(`examples/purge-contract/${file}`, 'utf8'), file);
const example = read('quittance.yaml');
const writtenOut = read('crm.yaml');

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
const listen = async (server: Server): Promise<string> => {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};
const connectTo = (url: string): Connection =>
  httpConnector.connect(httpConnector.config.parse({ ...own(example.connections['warehouse'] ?? {}), base_url: url, auth: { scheme: 'bearer', token: 'a-token' }, callback_secret: 'a-secret' }));
const people = (): Map<string, { id: string; email: string; external_id: string; cases: number; notes: number }> =>
  new Map([['1', { id: '1', email: 'ada@example.com', external_id: 'ADA-4711', cases: 2, notes: 3 }], ['2', { id: '2', email: 'bystander@example.com', external_id: 'B-1', cases: 0, notes: 0 }]]);

describe('the example of a purge contract', () => {
  it('keeps every promise that the test of a system looks for', async () => {
    const held = people();
    const url = await listen(createService({ token: 'a-token', jobMs: 1 }, held));
    const test = createTestContext({ egress: [url], identifier: { kind: 'email', value: 'nobody@example.com' } });
    const rows = (await connectTo(url).rehearse?.(test.plain)) ?? [];
    expect(rows.filter((each) => each.result !== 'kept').map((each) => each.check)).toEqual(['callback']);
    expect(held.size).toBe(2);
  });

  it('erases a person, tells so by a callback that is signed as declared, and is read back as empty', async () => {
    const held = people();
    let heard: (callback: { headers: Record<string, string>; body: Buffer }) => void;
    const callback = new Promise<{ headers: Record<string, string>; body: Buffer }>((resolve) => {
      heard = resolve;
    });
    const inbox = await listen(
      createServer((request, reply) => {
        const parts: Buffer[] = [];
        request.on('data', (part: Buffer) => parts.push(part)).on('end', () => {
          heard({ headers: request.headers as Record<string, string>, body: Buffer.concat(parts) });
          reply.end();
        });
      }),
    );
    const url = await listen(createService({ token: 'a-token', jobMs: 1, callback: { url: inbox, secret: 'a-secret' } }, held));
    const connection = connectTo(url);
    const identifier = { kind: 'email', value: 'ada@example.com' } as const;
    const test = createTestContext({ egress: [url], identifier, identifiers: [identifier, { kind: 'external_id', value: 'ADA-4711' }], seenHere: true });
    const first = await connection.erase(test.step({ cursor: null, attempt: 1 }));
    if (first.state !== 'wait') throw new Error('The example did not make a job');
    expect(connection.readCallback?.({ ...(await callback), now: Date.now() })).toEqual({ jobs: [first.vendorJob] });
    const run = await eraseToEnd({ ...connection, erase: async (context) => connection.erase({ ...context, cursor: context.cursor ?? first.cursor }) }, test);
    expect(run.result).toMatchObject({ state: 'done', outcome: 'erased', counts: { contacts: 1, cases: 2, notes: 3 } });
    expect(await connection.confirm(test.step({ cursor: run.cursor, attempt: 1 }))).toEqual({ state: 'absent' });
    expect([...held.keys()]).toEqual(['2']);
  });

  it('is a configuration that is accepted, and so is every connection of the guide', () => {
    const guide = [...readFileSync('docs/guides/purge-contracts.md', 'utf8').matchAll(/^```yaml\n([\s\S]*?)^```$/gmu)].map(([, text]) => parse(text ?? '') as { connections?: Record<string, object> });
    const connections = [...Object.entries(example.connections), ...Object.entries(writtenOut.connections), ...guide.flatMap((each) => Object.entries(each.connections ?? {}))];
    expect(connections.length).toBeGreaterThan(3);
    for (const [name, connection] of connections) {
      expect({ name, issues: httpConnector.config.safeParse(own(connection)).error?.issues }).toEqual({ name, issues: undefined });
    }
  });

  it('fits the published schema, which refuses what is not in it', () => {
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(JSON.parse(readFileSync('docs/reference/purge-contract.schema.json', 'utf8')) as object);
    const crm = own(writtenOut.connections['crm'] ?? {});
    expect(validate(crm)).toBe(true);
    expect(validate({ ...crm, rectify: {} })).toBe(false);
    expect(validate({ ...crm, erase: [] })).toBe(false);
  });

  it('is described by names of ready declarations and keys that exist', () => {
    const guide = readFileSync('docs/guides/purge-contracts.md', 'utf8');
    for (const { name } of readyDeclarations) expect(guide).toContain(`\`${name}\``);
    for (const key of Object.keys(declarationSchema.shape)) expect(guide).toContain(`\`${key}\``);
  });
});
