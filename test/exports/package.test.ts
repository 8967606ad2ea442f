import { createHash } from 'node:crypto';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { exportDocumentSchema, exportManifestSchema } from '../../src/contract/export-package.ts';
import type { RequestId } from '../../src/contract/ids.ts';
import { databaseKinds, useDatabase } from '../support/databases.ts';
import { openExportsWorld, type ExportsWorld } from './exports-world.ts';
import { readZip } from '../../src/cli/demo/read-zip.ts';

const hostile = '</td><script>alert(1)</script><img src=x onerror=alert(1)>"\'`javascript:';
const formula = '=HYPERLINK("https://evil.example","x")';

describe.each(databaseKinds)('a package, on the database of kind $kind', ({ kind }) => {
  const shared = useDatabase(kind, 'main');
  let world: ExportsWorld;
  beforeAll(async () => {
    world = await openExportsWorld(shared.open());
  });
  afterAll(async () => world.close());

  const download = async (requestId: RequestId): Promise<ReadonlyMap<string, Buffer>> => {
    world.clock.advance(61_000);
    const { delivery } = world.exports;
    const link = await delivery.open(await world.tokenOf(requestId));
    await delivery.requestCode(link);
    const handout = await delivery.download(link, await world.codeOf(requestId));
    if (handout.kind !== 'stream') throw new Error('A local package is streamed');
    const chunks: Buffer[] = [];
    for await (const chunk of handout.stream) chunks.push(chunk as Buffer);
    return readZip(Buffer.concat(chunks));
  };

  const gather = async (): Promise<RequestId> => {
    const requestId = await world.openRequest();
    const [shop, desk] = [world.newTask(), world.newTask()];
    const orders = Array.from({ length: 150 }, (_each, index) => ({ type: 'order', data: { id: index, note: index === 7 ? formula : `order ${index}`, lines: [{ sku: 'a' }] } }));
    await world.addPage(requestId, { taskId: shop, connection: 'shop', ordinal: 0, records: [{ type: 'profile', data: { name: hostile, __proto__: null, nested: { deep: { deeper: { deepest: 1 } } } } }, ...orders.slice(0, 80)] });
    await world.addPage(requestId, { taskId: shop, connection: 'shop', ordinal: 1, records: [...orders.slice(80), { type: 'score', data: { value: 3 } }, { type: 'fraud_rule', data: { rule: 'velocity' } }] });
    await world.addPage(requestId, {
      taskId: desk,
      connection: 'desk',
      ordinal: 0,
      records: [
        { type: 'message', data: { text: 'Hello', thread: [{ from: 'Bob Bystander', text: 'x' }, { from: 'Ann Bystander' }], agent: { name: 'Alex Agent', id: 5 } } },
        { type: 'file', data: { filename: '../../etc/passwd', content_type: 'text/plain', base64: Buffer.from('a file of the person').toString('base64') } },
        { type: 'note', data: 'a note that nobody declared' },
      ],
    });
    await world.make(requestId);
    return requestId;
  };

  it('has everything that was gathered, by category, with what Art. 15 asks to be told, and fits its published schema', async () => {
    world.facts.right = 'access';
    const files = await download(await gather());
    const document = exportDocumentSchema.parse(JSON.parse((files.get('export.json') ?? Buffer.alloc(0)).toString('utf8')));
    const ajv = addFormats.default(new Ajv2020.default({ strict: false }));
    expect(ajv.validate(z.toJSONSchema(exportDocumentSchema), document)).toBe(true);
    expect(document.categories.map(({ name, records, files: own }) => [name, records, own.length])).toEqual([['account', 1, 0], ['messages', 2, 0], ['orders', 150, 2], ['other', 1, 0], ['scoring', 1, 0]]);
    expect(document.categories.find(({ name }) => name === 'orders')?.sources).toEqual([
      { system: 'shop', title: 'Web shop', type: 'order', records: 150, redactions: 0, declared: true, purpose: 'To deliver what was ordered', legal_basis: 'contract', retention: '7 years after the order', recipients: ['Parcel Example'], transfers: [], provided_by_subject: true },
    ]);
    expect(document.metadata.left_out).toEqual([{ category: 'fraud', system: 'shop', type: 'fraud_rule', records: 1, reason: 'not_disclosed', detail: 'It would show how fraud is detected.' }]);
    expect(document.metadata.not_searched).toEqual([{ system: 'legacy', reason: 'unsupported' }]);
    expect(document.data_subject.identifiers.map(({ kind: each, value }) => [each, value])).toEqual([['email', 'ada@example.com'], ['phone', '+12025550123']]);
    expect(document.rights.map(({ right }) => right)).toContain('rectification');
    expect(document.complaint).toContain('supervisory authority');
    const lines = (files.get('data/orders.jsonl') ?? Buffer.alloc(0)).toString('utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as { data: { id: number } });
    expect(lines.map(({ data }) => data.id)).toEqual(Array.from({ length: 150 }, (_each, index) => index));
  });

  it('says in its manifest the length and the hash of every other file, and of none that is not there', async () => {
    const files = await download(await gather());
    const manifest = exportManifestSchema.parse(JSON.parse((files.get('manifest.json') ?? Buffer.alloc(0)).toString('utf8')));
    const real = [...files].filter(([path]) => path !== 'manifest.json').map(([path, content]) => ({ path, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') }));
    expect(manifest.files.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual(real.toSorted((a, b) => (a.path < b.path ? -1 : 1)));
    expect(real.length).toBe(5);
  });

  it('takes other people out by the declared rules, in data and in the page, and counts them', async () => {
    const files = await download(await gather());
    for (const [path, content] of files) expect(`${path} ${content.toString('utf8')}`).not.toMatch(/Bystander|Alex Agent/u);
    const document = exportDocumentSchema.parse(JSON.parse((files.get('export.json') ?? Buffer.alloc(0)).toString('utf8')));
    const messages = document.categories.find(({ name }) => name === 'messages');
    expect(messages?.sources.map(({ type, redactions }) => [type, redactions])).toEqual([['message', 3], ['file', 0]]);
    expect(messages?.data?.[0]?.data).toEqual({ text: 'Hello', thread: [{ from: '[redacted]', text: 'x' }, { from: '[redacted]' }], agent: { name: '[redacted]', id: 5 } });
  });

  it('has files of the person as files, whose names lead nowhere', async () => {
    const files = await download(await gather());
    const path = [...files.keys()].find((each) => each.startsWith('attachments/'));
    expect(path).toBe('attachments/desk-1-000000-00001-passwd');
    expect(files.get(path ?? '')?.toString('utf8')).toBe('a file of the person');
    expect(files.get('export.json')?.toString('utf8')).toContain(path);
    for (const each of files.keys()) expect(each).toMatch(/^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/u);
  });

  it('has a page in which hostile values are only text, without scripts and without anything from elsewhere', async () => {
    const page = (await download(await gather())).get('index.html')?.toString('utf8') ?? '';
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    const tags = page.match(/<[^>]*>/gu) ?? [];
    expect(tags.length).toBeGreaterThan(100);
    expect(tags.filter((tag) => /^<(?:script|img|iframe|link|object|form)|\s(?:src|on\w+)=|href="(?!#|data\/|export\.json|manifest\.json)/u.test(tag))).toEqual([]);
    expect(page).toMatch(/<html lang="en">/u);
    expect(page).toContain("default-src 'none'");
    expect(page.match(/<th scope="(?:col|row)"/gu)?.length).toBeGreaterThan(10);
    expect(page.match(/<caption>/gu)?.length).toBeGreaterThan(3);
  });

  it('has tables in which no value is a formula', async () => {
    const csv = (await download(await gather())).get('data/orders.csv')?.toString('utf8') ?? '';
    expect(csv.split('\r\n')[0]).toBe('\uFEFF_system,_type,id,note,lines');
    expect(csv).toContain(`7,"'=HYPERLINK(""https://evil.example"",""x"")","[{""sku"":""a""}]"`);
    expect(csv.split('\r\n').filter((line) => /(?:^|,)"?[=+@]/u.test(line))).toEqual([]);
  });

  it('has for portability only what the person provided, on consent or a contract, and says what was left out and why', async () => {
    world.facts.right = 'portability';
    const files = await download(await gather());
    world.facts.right = 'access';
    const document = exportDocumentSchema.parse(JSON.parse((files.get('export.json') ?? Buffer.alloc(0)).toString('utf8')));
    expect(document.categories.map(({ name }) => name)).toEqual(['account', 'messages', 'orders']);
    expect(document.metadata.left_out.map(({ type, reason }) => [type, reason])).toEqual([['note', 'not_declared'], ['score', 'not_provided_by_subject'], ['fraud_rule', 'not_disclosed']]);
    expect(files.get('export.json')?.toString('utf8')).not.toContain('a note that nobody declared');
  });

  it('answers the right to know of the CCPA from the same declarations, and only under that law', async () => {
    world.facts.law = 'ccpa';
    const ccpa = exportDocumentSchema.parse(JSON.parse((await download(await gather())).get('export.json')?.toString('utf8') ?? '')).ccpa;
    world.facts.law = 'gdpr';
    expect(ccpa).toMatchObject({ categories_collected: ['account', 'messages', 'orders', 'other', 'scoring'], third_parties: ['Parcel Example'] });
    expect(ccpa?.by_category.find(({ category }) => category === 'orders')).toEqual({ category: 'orders', sources: ['you, by Web shop'], purposes: ['To deliver what was ordered'], third_parties: ['Parcel Example'] });
    expect(exportDocumentSchema.parse(JSON.parse((await download(await gather())).get('export.json')?.toString('utf8') ?? '')).ccpa).toBeUndefined();
  });

  it('names the person by what is theirs for certain: what is proven, and what they gave and has its data in the package', async () => {
    const requestId = await world.openRequest({ email: 'ada@example.com' }, [
      { kind: 'phone', value: '+12025550133', foundBy: 'given', confidence: 0.5 },
      { kind: 'user_id', value: 'given-and-skipped', foundBy: 'given', confidence: 0.5 },
      { kind: 'email', value: 'neighbour@example.com', foundBy: 'connection:crm', confidence: 0.5 },
      { kind: 'user_id', value: 'mapped', foundBy: 'mapping', confidence: 1 },
    ]);
    const { identifiers } = await world.vault.unlock(requestId);
    for (const { id, value } of identifiers) if (value === '+12025550133' || value === 'neighbour@example.com') world.exportedIdentifiers.add(id);
    await world.addPage(requestId, { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [{ type: 'order', data: 1 }] });
    await world.make(requestId);
    const files = await download(requestId);
    const document = exportDocumentSchema.parse(JSON.parse((files.get('export.json') ?? Buffer.alloc(0)).toString('utf8')));
    expect(document.data_subject.identifiers.map(({ value }) => value)).toEqual(['ada@example.com', '+12025550133', 'mapped']);
    const page = files.get('index.html')?.toString('utf8') ?? '';
    expect([page.includes('+12025550133'), page.includes('neighbour@example.com'), page.includes('given-and-skipped')]).toEqual([true, false, false]);
  });

  it('has only the pages of tasks that ended as exported, and the others are gone once it is there', async () => {
    const requestId = await world.openRequest();
    const [exported, left] = [world.newTask(), world.newTask()];
    await world.addPage(requestId, { taskId: left, connection: 'desk', ordinal: 0, records: [{ type: 'note', data: 'of-somebody-else' }] });
    await world.addPage(requestId, { taskId: exported, connection: 'shop', ordinal: 0, records: [{ type: 'order', data: 'of-ada' }] });
    world.skipped.add(left);
    await world.exports.sweep();
    const before = world.files().length;
    await world.make(requestId);
    const files = await download(requestId);
    expect(files.get('export.json')?.toString('utf8')).toContain('of-ada');
    for (const [path, content] of files) expect(`${path} ${content.toString('utf8')}`).not.toContain('of-somebody-else');
    await world.exports.sweep();
    expect(world.files().length).toBe(before);
  });

  it('has once what a system gave for two identifiers, says so, and keeps what the system itself has twice', async () => {
    const requestId = await world.openRequest();
    const file = { filename: 'a.txt', content_type: 'text/plain', base64: Buffer.from('one').toString('base64') };
    const twice = [{ type: 'order', data: { id: 1 } }, { type: 'order', data: { id: 1 } }, { type: 'file', data: file }];
    const many = Array.from({ length: 120 }, (_each, index) => ({ type: 'message', data: { text: `message ${index}` } }));
    for (const taskId of [world.newTask(), world.newTask()]) {
      await world.addPage(requestId, { taskId, connection: 'desk', ordinal: 0, records: twice });
      await world.addPage(requestId, { taskId, connection: 'desk', ordinal: 1, records: [...many, { type: 'message', data: { text: taskId } }] });
    }
    await world.addPage(requestId, { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [{ type: 'order', data: { id: 1 } }] });
    await world.make(requestId);
    const files = await download(requestId);
    const document = exportDocumentSchema.parse(JSON.parse((files.get('export.json') ?? Buffer.alloc(0)).toString('utf8')));
    expect(document.categories.map(({ name, records, repetitions, may_repeat: mayRepeat }) => [name, records, repetitions, mayRepeat])).toEqual([['messages', 123, 121, undefined], ['orders', 1, 0, undefined], ['other', 2, 2, undefined]]);
    expect((files.get('data/messages.jsonl') ?? Buffer.alloc(0)).toString('utf8').trimEnd().split('\n').length).toBe(123);
    expect((files.get('data/messages.csv') ?? Buffer.alloc(0)).toString('utf8').trimEnd().split('\r\n').length).toBe(124);
    expect([...files.keys()].filter((each) => each.startsWith('attachments/')).length).toBe(1);
    expect(files.get('index.html')?.toString('utf8')).toContain('123 records. 121 more were the same again');
  });

  it('lists what a system did not give as left out, with the reason', async () => {
    const requestId = await world.openRequest();
    const object = (key: string, notIncluded: string) => ({ type: 'object_not_included', data: { key, not_included: notIncluded } });
    await world.addPage(requestId, { taskId: world.newTask(), connection: 'desk', ordinal: 0, records: [object('a', 'too_large'), object('b', 'archived'), object('c', 'too_large'), object('d', 'a_word_of_theirs')] });
    await world.make(requestId);
    const document = exportDocumentSchema.parse(JSON.parse((await download(requestId)).get('export.json')?.toString('utf8') ?? ''));
    expect(document.metadata.left_out.map(({ type, reason, records }) => [type, reason, records])).toEqual([['object_not_included', 'too_large', 2], ['object_not_included', 'archived', 1]]);
    expect(document.categories.map(({ name, data }) => [name, data?.length])).toEqual([['other', 1]]);
  });

  it('reports types that are not declared, to be mended, while the person gets them', async () => {
    const status = await world.exports.statusOf(await gather());
    expect(status).toMatchObject({ state: 'ready', left_out: 1, findings: [{ code: 'type_not_declared', system: 'desk', type: 'note', records: 1 }] });
  });
});
