import { Decrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sql } from 'kysely';
import { formatId, type RequestId } from '../../src/contract/ids.ts';
import { databaseKinds, useDatabase } from '../support/databases.ts';
import { apiKey, openExportsWorld, person, type ExportsWorld } from './exports-world.ts';
import { readZip } from '../../src/cli/demo/read-zip.ts';

const dayMs = 86_400_000;
const asOperator = { authorization: `Bearer ${apiKey}` };

describe.each(databaseKinds)('the delivery, on the database of kind $kind', ({ kind }) => {
  const shared = useDatabase(kind, 'main');
  let world: ExportsWorld;
  beforeAll(async () => {
    world = await openExportsWorld(shared.open());
  });
  afterAll(async () => world.close());

  const app = (): NonNullable<ExportsWorld['app']> => {
    if (world.app === undefined) throw new Error('This world serves HTTP');
    return world.app;
  };
  const readyPackage = async (identifiers?: Readonly<Record<string, string>>): Promise<{ requestId: RequestId; token: string }> => {
    const requestId = await world.openRequest(identifiers);
    await world.addPage(requestId, { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [{ type: 'order', data: { id: 1, note: 'marked-value-of-ada' } }] });
    await world.make(requestId);
    return { requestId, token: await world.tokenOf(requestId) };
  };
  const askCode = async (requestId: RequestId, token: string): Promise<string> => {
    world.clock.advance(61_000);
    const answer = await app().inject({ method: 'POST', url: `/v1/exports/${token}/code` });
    expect(answer.statusCode).toBe(202);
    return world.codeOf(requestId);
  };
  const fetchWith = async (token: string, code: string): Promise<{ statusCode: number; rawPayload: Buffer; headers: Record<string, unknown> }> => app().inject({ method: 'POST', url: `/v1/exports/${token}/download`, payload: { code } });

  it('needs the link and a code, streams the package in clear once, and counts', async () => {
    const { requestId, token } = await readyPackage();
    const code = await askCode(requestId, token);
    const answer = await fetchWith(token, code);
    expect([answer.statusCode, answer.headers['content-type'], answer.headers['cache-control']]).toEqual([200, 'application/zip', 'no-store']);
    expect(answer.headers['content-disposition']).toBe(`attachment; filename="privacy-export-${formatId('request', requestId)}.zip"`);
    expect(readZip(answer.rawPayload).get('export.json')?.toString('utf8')).toContain('marked-value-of-ada');
    expect((await fetchWith(token, code)).statusCode).toBe(403);
    expect((await fetchWith(token, await askCode(requestId, token))).statusCode).toBe(200);
    expect(await world.exports.statusOf(requestId)).toMatchObject({ downloads: 2, state: 'ready' });
    expect(world.entries.filter(({ type, request_id: id }) => type === 'export.downloaded' && id === formatId('request', requestId)).length).toBe(2);
  });

  it('encrypts to the person’s own key on the way out, and a key that is none costs no attempt', async () => {
    const { requestId, token } = await readyPackage();
    const code = await askCode(requestId, token);
    const secret = await generateX25519Identity();
    const download = async (recipient: string) => app().inject({ method: 'POST', url: `/v1/exports/${token}/download`, payload: { code, recipient } });
    expect((await download('age1thisisnokey')).statusCode).toBe(400);
    const answer = await download(await identityToRecipient(secret));
    expect([answer.statusCode, String(answer.headers['content-disposition']).endsWith('.zip.age"')]).toEqual([200, true]);
    expect(() => readZip(answer.rawPayload)).toThrow();
    const decrypter = new Decrypter();
    decrypter.addIdentity(secret);
    expect(readZip(Buffer.from(await decrypter.decrypt(answer.rawPayload))).get('export.json')?.toString('utf8')).toContain('marked-value-of-ada');
  });

  it('gives nothing for a wrong code, for the right one after five wrong ones, for one that is too old, and without any', async () => {
    const { requestId, token } = await readyPackage();
    expect((await fetchWith(token, '00000000')).statusCode).toBe(403);
    const code = await askCode(requestId, token);
    const wrong = code === '11111111' ? '22222222' : '11111111';
    const refused = await fetchWith(token, wrong);
    for (let tries = 1; tries < 5; tries += 1) expect((await fetchWith(token, wrong)).statusCode).toBe(403);
    const locked = await fetchWith(token, code);
    expect([locked.statusCode, locked.rawPayload.toString()]).toEqual([403, refused.rawPayload.toString()]);
    const next = await askCode(requestId, token);
    world.clock.advance(31 * 60_000);
    expect((await fetchWith(token, next)).statusCode).toBe(403);
    expect((await fetchWith(token, await askCode(requestId, token))).statusCode).toBe(200);
  });

  it('sends no second code within a minute, and no sixth in a day', async () => {
    const { requestId, token } = await readyPackage();
    const sent = (): number => world.codes.filter((each) => each.requestId === requestId).length;
    await askCode(requestId, token);
    await app().inject({ method: 'POST', url: `/v1/exports/${token}/code` });
    expect(sent()).toBe(1);
    for (let count = 0; count < 6; count += 1) {
      world.clock.advance(61_000);
      await app().inject({ method: 'POST', url: `/v1/exports/${token}/code` });
    }
    expect(sent()).toBe(5);
    world.clock.advance(dayMs);
    await app().inject({ method: 'POST', url: `/v1/exports/${token}/code` });
    expect(sent()).toBe(6);
  });

  it('answers the same for a link that never was, one that expired, one that was revoked and one whose request was shredded', async () => {
    const [expired, revoked, shredded] = [await readyPackage(), await readyPackage(), await readyPackage()];
    const alive = await app().inject({ url: `/v1/exports/${revoked.token}` });
    expect(alive.statusCode).toBe(200);
    const revocation = await app().inject({ method: 'DELETE', url: `/v1/privacy-requests/${formatId('request', revoked.requestId)}/export`, headers: asOperator });
    expect(revocation.statusCode).toBe(204);
    await world.inTx(async (tx) => {
      await world.exports.discard(tx, shredded.requestId);
      await world.vault.shred(tx, shredded.requestId, []);
    });
    world.clock.advance(30 * dayMs + 1);
    const tokens = ['A'.repeat(43), expired.token, revoked.token, shredded.token];
    for (const [method, path, payload] of [['GET', '', undefined], ['POST', '/code', undefined], ['POST', '/download', { code: '12345678' }]] as const) {
      const answers = [];
      for (const token of tokens) {
        const { statusCode, body, headers } = await app().inject({ method, url: `/v1/exports/${token}${path}`, ...(payload === undefined ? {} : { payload }) });
        answers.push({ statusCode, body, names: Object.keys(headers).toSorted() });
      }
      expect(answers[0]?.statusCode).toBe(404);
      for (const answer of answers) expect(answer).toEqual(answers[0]);
    }
  });

  it('limits how often a link is tried', async () => {
    const { token } = await readyPackage();
    const statuses = [];
    for (let count = 0; count < 32; count += 1) statuses.push((await app().inject({ url: `/v1/exports/${token}` })).statusCode);
    expect(statuses.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => 200));
    const last = await app().inject({ url: `/v1/exports/${token}` });
    expect([statuses.at(-1), last.statusCode, Number(last.headers['retry-after']) > 0]).toEqual([429, 429, true]);
  });

  it('shows people a page with the two forms, which works without scripts, and tells them there what went wrong', async () => {
    const { requestId, token } = await readyPackage();
    const page = await app().inject({ url: `/v1/exports/${token}`, headers: { accept: 'text/html,*/*' } });
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect(page.headers['referrer-policy']).toBe('no-referrer');
    expect(page.body).toMatch(/<label for="code">[\s\S]*<input id="code" name="code"/u);
    expect(page.body).not.toMatch(/<script|src=/u);
    world.clock.advance(61_000);
    const form = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' };
    const sent = await app().inject({ method: 'POST', url: `/v1/exports/${token}/code`, headers: form, payload: '' });
    expect([sent.statusCode, sent.body.includes('A code is on its way')]).toEqual([200, true]);
    const wrong = await app().inject({ method: 'POST', url: `/v1/exports/${token}/download`, headers: form, payload: 'code=00000000' });
    expect([wrong.statusCode, wrong.headers['content-type'], wrong.body.includes('The code is not right')]).toEqual([403, 'text/html; charset=utf-8', true]);
    const right = await app().inject({ method: 'POST', url: `/v1/exports/${token}/download`, headers: form, payload: `code=${await world.codeOf(requestId)}` });
    expect([right.statusCode, right.headers['content-type']]).toEqual([200, 'application/zip']);
  });

  it('keeps a token as its hash alone, and nothing of the person in names, rows, entries and log lines', async () => {
    const { requestId, token } = await readyPackage();
    await fetchWith(token, await askCode(requestId, token));
    const tables = ['export_object', 'export_part', 'export_package', 'export_copy'];
    const rows = (await Promise.all(tables.map((table) => sql`SELECT to_jsonb(t) AS row FROM ${sql.table(table)} t`.execute(world.database.read())))).map(({ rows: each }) => JSON.stringify(each)).join('\n');
    const kept = `${rows}\n${world.files().join('\n')}\n${JSON.stringify(world.entries)}\n${world.logged.join('\n')}`;
    expect(kept.length).toBeGreaterThan(2000);
    for (const trace of [token, Buffer.from(token).toString('hex'), person.email, person.phone, 'marked-value-of-ada', 'AGE-SECRET-KEY']) expect(kept).not.toContain(trace);
    for (const name of world.files()) expect(name).toMatch(/^[A-Za-z0-9_-]{43}$/u);
  });

  it('leaves nothing in the store after expiry, after revocation, and after shredding: neither the package nor its pages', async () => {
    await world.exports.sweep();
    const before = world.files().length;
    const [expired, revoked, shredded] = [await readyPackage(), await readyPackage(), await readyPackage()];
    expect(world.files().length).toBe(before + 6);
    await world.exports.revoke(revoked.requestId, 'desk');
    expect(world.files().length).toBe(before + 4);
    await world.inTx((tx) => world.exports.discard(tx, shredded.requestId));
    await world.exports.sweep();
    expect(world.files().length).toBe(before + 2);
    world.clock.advance(30 * dayMs + 1);
    await world.exports.sweep();
    expect(world.files().length).toBe(0);
    for (const { requestId } of [expired, revoked, shredded]) expect(await world.exports.expiresAt(requestId)).toBeUndefined();
    await expect(world.exports.revoke(expired.requestId, 'desk')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(world.addPage(shredded.requestId, { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [{ type: 'order', data: 1 }] })).rejects.toMatchObject({ code: 'KEY_DESTROYED' });
  });

  it('flags a repetition within twelve months, and not the first copy', async () => {
    const who = { email: 'grace@example.com' };
    const identifiers = [{ kind: 'email', value: 'grace@example.com' }] as const;
    expect(await world.exports.copiesBefore(identifiers)).toBe(0);
    const first = await readyPackage(who);
    expect(await world.exports.statusOf(first.requestId)).toMatchObject({ copies_before: 0 });
    world.clock.advance(1000);
    const second = await readyPackage(who);
    expect(await world.exports.statusOf(second.requestId)).toMatchObject({ copies_before: 1 });
    expect(await world.exports.copiesBefore(identifiers)).toBe(2);
    world.clock.advance(366 * dayMs);
    await world.exports.sweep();
    expect(await world.exports.copiesBefore(identifiers)).toBe(0);
  });

  it('gives the package in clear to an operator, under their name, as a download; to a stranger, and once it was revoked, nothing', async () => {
    const { requestId } = await readyPackage();
    const url = `/v1/privacy-requests/${formatId('request', requestId)}/export/file`;
    expect((await app().inject({ url })).statusCode).toBe(401);
    const answer = await app().inject({ url, headers: asOperator });
    expect([answer.statusCode, answer.headers['content-type'], answer.headers['cache-control']]).toEqual([200, 'application/zip', 'no-store']);
    expect(readZip(answer.rawPayload).get('export.json')?.toString('utf8')).toContain('marked-value-of-ada');
    expect(await world.exports.statusOf(requestId)).toMatchObject({ downloads: 1 });
    const handed = (): readonly unknown[] => world.entries.filter(({ type, request_id: id }) => type === 'export.handed_to_operator' && id === formatId('request', requestId)).map(({ actor }) => actor);
    expect(handed()).toEqual([{ role: 'operator', id: 'desk' }]);
    await world.exports.revoke(requestId, 'desk');
    expect((await app().inject({ url, headers: asOperator })).statusCode).toBe(404);
    expect(handed()).toHaveLength(1);
  });

  it('counts no copy for whom an identifier in doubt may belong to', async () => {
    const doubtful = [{ kind: 'email', value: 'neighbour@example.com', foundBy: 'connection:crm', confidence: 0.5 }] as const;
    const requestId = await world.openRequest({ email: 'heidi@example.com' }, doubtful);
    await world.addPage(requestId, { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [{ type: 'order', data: 1 }] });
    await world.make(requestId);
    expect(await world.exports.copiesBefore([{ kind: 'email', value: 'heidi@example.com' }])).toBe(1);
    expect(await world.exports.copiesBefore(doubtful)).toBe(0);
  });

  it('shows an operator where a package stands, and a stranger nothing', async () => {
    const { requestId } = await readyPackage();
    const url = `/v1/privacy-requests/${formatId('request', requestId)}/export`;
    expect((await app().inject({ url, headers: asOperator })).json()).toMatchObject({ state: 'ready', encryption: 'age', records: 1, categories: { orders: 1 }, downloads: 0 });
    expect((await app().inject({ url })).statusCode).toBe(401);
    expect((await app().inject({ method: 'DELETE', url })).statusCode).toBe(401);
  });
});
