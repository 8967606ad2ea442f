import { describe, expect, it } from 'vitest';
import { runCli } from '../../run-cli.ts';

const logKey = { id: '1c2d3e4f', state: 'current', verifier_key: 'example.com/log+1c2d3e4f+AQ==', signs_until: null, last_size: null };
const current = { id: 'aaaaaaaaaaaaaaaa', role: 'current', request_keys: 7, system_keys: 5 };
const other = { id: 'bbbbbbbbbbbbbbbb', role: 'other', request_keys: 2, system_keys: 0 };

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

/** Runs a command against a server that answers from a script: for each path its answers in turn, the last one for ever. */
async function quittance(arguments_: readonly string[], answers: Readonly<Record<string, readonly unknown[]>>, now: () => number = () => 0) {
  let [out, err] = ['', ''];
  const calls: Call[] = [];
  const turns = new Map<string, number>();
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const path = `${init.method ?? 'GET'} ${new URL(url).pathname}`;
    calls.push({ method: init.method ?? 'GET', path: new URL(url).pathname, body: typeof init.body === 'string' ? JSON.parse(init.body) : undefined });
    const turn = turns.get(path) ?? 0;
    turns.set(path, turn + 1);
    const body = answers[path]?.[Math.min(turn, (answers[path]?.length ?? 1) - 1)];
    return new Response(JSON.stringify(body ?? { title: 'T', detail: 'Not scripted', code: 'NOT_FOUND' }), { status: body === undefined ? 404 : 200 });
  };
  const code = await runCli(arguments_, {
    process: { stdout: { write: (text) => (out += text) }, stderr: { write: (text) => (err += text) }, stdin: (async function* none() {})(), env: { QUITTANCE_API_KEY: 'secret-key' }, exitCode: null },
    fetch: fetch as typeof globalThis.fetch,
    now,
  });
  return { code, out, err, calls };
}

describe('quittance keys status', () => {
  const ask = (keys: readonly unknown[], ...flags: readonly string[]) => quittance(['keys', 'status', ...flags], { 'GET /v1/keys': [{ master_keys: keys }], 'GET /v1/audit/keys': [{ items: [logKey] }] });

  it('says of each master key whether it is needed, can be taken away, or is missing, and ends with 3 only for a missing one', async () => {
    const fine = await ask([current, other, { ...other, id: 'cccccccccccccccc', request_keys: 0 }]);
    expect(fine.code).toBe(0);
    expect(fine.out).toMatch(/bbbbbbbbbbbbbbbb +other +2 +0 +still needed/u);
    expect(fine.out).toMatch(/cccccccccccccccc +other +0 +0 +wraps nothing: it can be taken out/u);
    expect(fine.out).toContain('1c2d3e4f');
    const missing = await ask([current, { ...other, role: 'not_configured' }]);
    expect(missing.code).toBe(3);
    expect(missing.out).toMatch(/bbbbbbbbbbbbbbbb +not configured +2 +0 +MISSING/u);
  });

  it('prints the same as JSON for machines', async () => {
    expect(JSON.parse((await ask([current, other], '--json')).out)).toEqual({ master_keys: [current, other], log_keys: [logKey] });
  });
});

describe('quittance keys rotate', () => {
  const done = { master_keys: [{ ...current, request_keys: 9 }, { ...other, request_keys: 0 }] };

  it('starts the rewrapping and waits until nothing is under another configured key', async () => {
    const ran = await quittance(['keys', 'rotate'], { 'POST /v1/keys/rewrap': [{ master_keys: [current, other] }], 'GET /v1/keys': [{ master_keys: [current, other] }, done] });
    expect(ran.code).toBe(0);
    expect(ran.calls.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /v1/keys/rewrap', 'GET /v1/keys', 'GET /v1/keys']);
    expect(ran.out).toContain('2 keys were brought under master key aaaaaaaaaaaaaaaa');
    expect(ran.out).toContain('Master key bbbbbbbbbbbbbbbb wraps nothing any more');
  });

  it('has nothing to wait for when everything is under the current key', async () => {
    const ran = await quittance(['keys', 'rotate', '--json'], { 'POST /v1/keys/rewrap': [done] });
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.out)).toMatchObject({ rewrapped: 0, current: current.id, removable: [other.id] });
  });

  it('fails, and says where to look, when nothing moves for a minute', async () => {
    let now = 0;
    const ran = await quittance(['keys', 'rotate'], { 'POST /v1/keys/rewrap': [{ master_keys: [current, other] }], 'GET /v1/keys': [{ master_keys: [current, other] }] }, () => (now += 40_000));
    expect(ran.code).toBe(1);
    expect(ran.err).toContain('2 keys are left');
  });
});

describe('quittance keys rotate-log-key', () => {
  it('asks for a new key with the overlap that was given, or the server’s own', async () => {
    const answers = { 'POST /v1/audit/keys': [{ ...logKey, state: 'announced' }] };
    const plain = await quittance(['keys', 'rotate-log-key'], answers);
    expect([plain.code, plain.calls[0]?.body]).toEqual([0, {}]);
    expect(plain.out).toContain(logKey.verifier_key);
    const leaked = await quittance(['keys', 'rotate-log-key', '--overlap-days', '0'], answers);
    expect([leaked.code, leaked.calls[0]?.body]).toEqual([0, { overlap_days: 0 }]);
    expect((await quittance(['keys', 'rotate-log-key', '--overlap-days', 'long'], answers)).code).toBe(2);
  });
});
