import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateHelpTextForAllCommands, type Application, type CommandContext } from '@stricli/core';
import { app } from './app.ts';
import { runCli } from './run-cli.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quittance-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const requestId = `req_${'0'.repeat(26)}`;
const request = {
  id: requestId,
  reference: 'Q-0000-0000-0000',
  status: 'closed',
  right: 'erasure',
  law: 'gdpr',
  source: 'website',
  verdict: 'fulfilled',
  reason_code: null,
  duplicate_of: null,
  received_at: '2026-11-21T10:00:00.000Z',
  verified_at: '2026-11-21T10:00:00.000Z',
  due_at: '2026-12-21T10:00:00.000Z',
  closed_at: '2026-11-21T10:00:05.000Z',
};

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Surroundings {
  readonly env?: Record<string, string>;
  readonly stdin?: string;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

async function quittance(arguments_: readonly string[], { env = { QUITTANCE_API_KEY: 'secret-key' }, stdin = '', fetch }: Surroundings = {}): Promise<Ran> {
  let out = '';
  let err = '';
  const noServer = async (): Promise<Response> => Promise.reject(new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) }));
  const code = await runCli(arguments_, {
    process: {
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      stdin: (async function* read() {
        yield stdin;
      })(),
      env,
      exitCode: null,
    },
    fetch: (fetch ?? noServer) as typeof globalThis.fetch,
    now: () => Date.parse('2026-11-21T10:00:10.000Z'),
  });
  return { code, out, err };
}

const answer = (status: number, body: unknown) => async () => Promise.resolve(new Response(JSON.stringify(body), { status }));
const problem = (status: number, code: string, detail: string) => answer(status, { type: 'urn:quittance:error', title: 'Title', status, detail, code });

const stream = (...events: readonly string[]) => async () => Promise.resolve(new Response(events.join(''), { status: 200 }));
const event = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const verify = async (file: string, keyFile: string): Promise<Ran> => quittance(['certificate', 'verify', file, '--key', keyFile]);

describe('every command', () => {
  const help = generateHelpTextForAllCommands(app as unknown as Application<CommandContext>);

  it('shows an example in its help and takes --json, but for serve, which has nothing to print', () => {
    expect(help.length).toBeGreaterThan(20);
    for (const [route, text] of help) {
      expect(text, route).toContain('Example:');
      expect(text.includes('--json'), route).toBe(!route.endsWith('serve'));
    }
  });

  it('ends with 2 for a command, a flag or an id that is none, without a call', async () => {
    for (const wrong of [['nonsense'], ['request', 'show', '--nope', requestId], ['request', 'show', 'req_x'], ['request', 'show'], ['serve', '--services=cook']]) {
      const ran = await quittance(wrong);
      expect(ran.code, wrong.join(' ')).toBe(2);
      expect(ran.err).not.toBe('');
    }
  });
});

describe('a command that calls the server', () => {
  it('prints a table for people and the server’s own JSON for machines', async () => {
    const fetch = answer(200, { items: [request], next_cursor: null });
    const forPeople = await quittance(['request', 'list'], { fetch });
    expect(forPeople.code).toBe(0);
    expect(forPeople.out).toContain('Q-0000-0000-0000');
    const forMachines = await quittance(['request', 'list', '--json'], { fetch });
    expect(JSON.parse(forMachines.out)).toEqual({ items: [request], next_cursor: null });
  });

  it('sends what it was told, once, with the key that is set', async () => {
    const sent: { url: string; init: RequestInit }[] = [];
    const fetch = async (url: string, init: RequestInit): Promise<Response> => {
      sent.push({ url, init });
      return answer(202, { id: requestId, reference: 'Q-0', status: 'verified', due_at: '2026-12-21T10:00:00.000Z' })();
    };
    const ran = await quittance(['request', 'create', '--email', 'ada@example.com', '--idempotency-key', 'k1'], { fetch });
    expect(ran.code).toBe(0);
    expect(sent).toHaveLength(1);
    expect(sent[0]?.url).toBe('http://127.0.0.1:4000/v1/privacy-requests');
    expect(sent[0]?.init).toMatchObject({ body: '{"email":"ada@example.com"}', headers: { authorization: 'Bearer secret-key', 'idempotency-key': 'k1' } });
  });

  it('says what would be erased, system by system, and ends with 1 only where a system did not answer', async () => {
    const identifier = { kind: 'email', commitment: 'c1' };
    const item = (id: string, system: string, result: string, more = {}): object => ({ id, system, identifier, result, counts: {}, residue: [], error_code: null, ...more });
    const counted = item('task_1', 'shop', 'counted', { counts: { orders: 12, addresses: 0 }, residue: [{ what: 'invoices', why: 'legal_obligation', count: 3 }] });
    const unknown = item('task_2', 'stripe', 'unknown');
    const failed = item('task_3', 'files', 'failed', { error_code: 'VENDOR_TIMEOUT' });
    const task = { identifier, status: 'waiting', outcome: null, confirmation: null, counts: {}, residue: [], progress: null, error_code: null, attempts: 0, wake_at: null };
    const tasks = [{ ...task, id: 'task_1', system: 'shop', action: 'anonymise' }, { ...task, id: 'task_2', system: 'stripe', action: 'erase' }];
    const sent: string[] = [];
    const serving = (...items: object[]) => async (url: string, init: RequestInit): Promise<Response> => {
      sent.push(`${init.method ?? 'GET'} ${new URL(url).pathname}`);
      return answer(200, { items: url.endsWith('/tasks') ? tasks : items })();
    };
    const told = await quittance(['request', 'dry-run', requestId], { fetch: serving(counted, unknown) });
    expect(told.code).toBe(0);
    expect(told.out).toMatch(/shop +anonymise +email +orders 12, addresses 0 +invoices 3 \(legal_obligation\)/u);
    expect(told.out).toMatch(/stripe +erase +email +cannot be told: the system has no way to look/u);
    expect(sent).toEqual([`POST /v1/privacy-requests/${requestId}/dry-run`, `GET /v1/privacy-requests/${requestId}/tasks`]);
    const broken = await quittance(['request', 'dry-run', requestId], { fetch: serving(counted, failed) });
    expect(broken).toMatchObject({ code: 1, out: expect.stringContaining('did not answer (VENDOR_TIMEOUT)') as string });
    const machines = await quittance(['request', 'dry-run', requestId, '--json'], { fetch: serving(counted) });
    expect(JSON.parse(machines.out)).toEqual({ items: [counted] });
    expect((await quittance(['request', 'dry-run', requestId], { fetch: serving(item('task_1', 'shop', 'counted')) })).out).toContain('nothing: it holds nothing under this identifier');
    expect((await quittance(['request', 'dry-run', requestId], { fetch: serving() })).out).toContain('Nothing is left to be erased');
    expect(await quittance(['request', 'dry-run', requestId], { fetch: problem(409, 'CONFLICT', 'There is no plan yet; the systems are still being searched') })).toMatchObject({ code: 1, err: expect.stringContaining('There is no plan yet') as string });
    expect((await quittance(['request', 'dry-run', 'req_x'], { fetch: serving() })).code).toBe(2);
  });

  it('takes a person from standard input, so that no identifier stands in the history, and refuses both at once', async () => {
    const sent: unknown[] = [];
    const fetch = async (_url: string, init: RequestInit): Promise<Response> => {
      sent.push(init.body);
      return answer(202, { id: requestId, reference: 'Q-0', status: 'verified', due_at: '2026-12-21T10:00:00.000Z' })();
    };
    expect((await quittance(['request', 'create', '--stdin'], { fetch, stdin: '{"email": "ada@example.com"}' })).code).toBe(0);
    expect((await quittance(['request', 'create', '--stdin', '--email', 'x@example.com'], { fetch, stdin: '{}' })).code).toBe(2);
    expect((await quittance(['request', 'create', '--stdin'], { fetch, stdin: 'not json' })).code).toBe(2);
    expect(sent).toEqual(['{"email":"ada@example.com"}']);
  });

  it('tells wrong use (2) from what failed (1), in the server’s words and with its code', async () => {
    const conflict = await quittance(['request', 'approve', requestId], { fetch: problem(409, 'CONFLICT', 'It does not wait') });
    expect(conflict).toMatchObject({ code: 1, err: 'quittance: It does not wait (CONFLICT)\n' });
    const invalid = await quittance(['request', 'create', '--email', 'x'], { fetch: problem(400, 'IDENTIFIER_INVALID', '/email is none') });
    expect(invalid.code).toBe(2);
    const unauthorised = await quittance(['request', 'list'], { fetch: problem(401, 'UNAUTHORIZED', 'Send an API key') });
    expect(unauthorised.code).toBe(2);
    expect(unauthorised.err).toContain('QUITTANCE_API_KEY');
    expect(unauthorised.err).not.toContain('secret-key');
  });

  it('says in plain words that no server answers, and what to do', async () => {
    const ran = await quittance(['request', 'list']);
    expect(ran).toMatchObject({ code: 1, err: expect.stringContaining('No server answers at http://127.0.0.1:4000; start one with "quittance serve"') });
  });

  it('does not take another program’s answer for Quittance’s', async () => {
    const page = await quittance(['request', 'list'], { fetch: async () => Promise.resolve(new Response('<html>', { status: 502 })) });
    expect(page).toMatchObject({ code: 1, err: expect.stringContaining('not as Quittance does') });
    const other = await quittance(['request', 'list'], { fetch: answer(200, { items: [{ id: 1 }] }) });
    expect(other).toMatchObject({ code: 1, err: expect.stringContaining('same version') });
  });

  it('uses the operator key of this machine for this machine only', async () => {
    writeFileSync(join(folder, 'operator.key'), 'operator-secret\n');
    const seen: string[] = [];
    const fetch = async (url: string, init: RequestInit): Promise<Response> => {
      seen.push(`${url} ${(init.headers as Record<string, string>)['authorization'] ?? ''}`);
      return answer(200, { items: [], next_cursor: null })();
    };
    expect((await quittance(['request', 'list'], { fetch, env: { QUITTANCE_DATA_DIR: folder } })).code).toBe(0);
    const remote = await quittance(['request', 'list'], { fetch, env: { QUITTANCE_DATA_DIR: folder, QUITTANCE_URL: 'https://quittance.example.com' } });
    expect(remote.code).toBe(2);
    expect(seen).toEqual(['http://127.0.0.1:4000/v1/privacy-requests?limit=20 Bearer operator-secret']);
  });

  it('refuses a misspelt setting before anything else', async () => {
    const ran = await quittance(['request', 'list'], { env: { QUITTANCE_API_KEYS: 'x' } });
    expect(ran).toMatchObject({ code: 2, err: expect.stringContaining('QUITTANCE_API_KEYS is not a setting') });
  });
});

describe('request watch', () => {
  const task = { id: 'tsk_0', system: 'stripe', identifier: { kind: 'email', commitment: 'ab' }, action: 'erase', status: 'settled', outcome: 'erased', confirmation: 'verified_absent', counts: { customers: 1 }, residue: [], progress: null, error_code: null, attempts: 2, wake_at: null };

  it('ends with the table of outcomes and 0 when the request is closed', async () => {
    const ran = await quittance(['request', 'watch', requestId], { fetch: stream(event('request', request), event('tasks', [task])) });
    expect(ran.code).toBe(0);
    expect(ran.out).toContain('erased');
    expect(ran.out).toContain('verified_absent');
    expect(ran.out).toContain('Closed: fulfilled');
  });

  it('ends with 3 and where to look when the request waits for a person', async () => {
    const waiting = { ...request, status: 'escalated', verdict: null, closed_at: null };
    const ran = await quittance(['request', 'watch', requestId], {
      fetch: stream(event('request', waiting), event('tasks', [{ ...task, status: 'manual', outcome: 'erased', confirmation: 'unconfirmed', error_code: 'STILL_PRESENT' }])),
    });
    expect(ran.code).toBe(3);
    expect(ran.out).toContain('waits for a person (STILL_PRESENT)');
    expect(ran.out).toContain('quittance manual-task list');
  });
});

describe('certificate verify', () => {
  const sample = join(import.meta.dirname, '../../examples/02-verify-in-python/sample');
  const certificate = join(sample, 'certificate.json');
  const key = join(sample, 'log-key');

  it('ends with 0 for a certificate that holds, and calls nobody', async () => {
    const ran = await verify(certificate, key);
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(ran.out).toMatch(/^VALID: row \d+ of \d+/u);
  });

  it('ends with 3 for a changed one, and says which check failed', async () => {
    const changed = join(folder, 'changed.json');
    writeFileSync(changed, readFileSync(certificate, 'utf8').replace('"erasure"', '"erasurf"'));
    const ran = await verify(changed, key);
    expect(ran).toMatchObject({ code: 3, out: expect.stringMatching(/^NOT VALID: .*\(check: [a-z-]+\)\n$/u) });
    const machine = await quittance(['certificate', 'verify', changed, '--key', key, '--json']);
    expect(machine.code).toBe(3);
    expect(JSON.parse(machine.out)).toMatchObject({ ok: false });
  });

  it('ends with 2 when a file is missing or the key file holds no key', async () => {
    expect((await verify(join(folder, 'none.json'), key)).code).toBe(2);
    expect((await verify(certificate, join(folder, 'none'))).code).toBe(2);
    expect((await verify(certificate, certificate)).code).toBe(2);
  });
});

describe('audit verify', () => {
  it('asks for a key from elsewhere when it verifies a folder', async () => {
    expect(await quittance(['audit', 'verify', '--folder', folder])).toMatchObject({ code: 2, err: expect.stringContaining('--key') });
  });

  it('ends with 3 and the first bad row when the server finds damage, and with 0 when it finds none', async () => {
    const bad = await quittance(['audit', 'verify'], { fetch: answer(200, { ok: false, check: 'row-hash', message: 'The hash is another', seq: 7 }) });
    expect(bad).toMatchObject({ code: 3, out: 'NOT VALID: The hash is another (first bad row: 7; check: row-hash)\n' });
    expect((await quittance(['audit', 'verify'], { fetch: answer(200, { ok: true, size: 9, signed_size: 9, grade: 'signed_head' }) })).code).toBe(0);
  });

  it('ends with 3 when the exported folder is empty', async () => {
    const key = join(import.meta.dirname, '../../examples/02-verify-in-python/sample/log-key');
    expect(await quittance(['audit', 'verify', '--folder', folder, '--key', key])).toMatchObject({ code: 3, out: expect.stringContaining('checkpoint is missing') });
  });
});
