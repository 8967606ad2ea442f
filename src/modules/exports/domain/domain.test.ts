import { describe, expect, it } from 'vitest';
import { exportDocumentSchema } from '../../../contract/export-package.ts';
import { holdSchema } from '../../../contract/holds.ts';
import { attachmentPath, readAttachment } from './attachment.ts';
import { createCsvColumns, csvCell, csvColumnsMax } from './csv.ts';
import { exportDocument } from './export-document.ts';
import { escapeHtml } from './html.ts';
import { indexPage } from './index-page.ts';
import { createRedaction } from './redact.ts';
import { createRepetitions } from './repetitions.ts';
import { createSurvey } from './survey.ts';

describe('repetitions', () => {
  const place = (task: number, index: number, connection = 'shop') => ({ connection, task, ordinal: 0, index });

  it('are what another task of the same system gave before, and nothing else', () => {
    const repetitions = createRepetitions(new Set(['shop', 'desk']));
    expect([repetitions.note(place(1, 0), 'a'), repetitions.note(place(1, 1), 'a'), repetitions.note(place(3, 0, 'desk'), 'a'), repetitions.note(place(2, 9), 'a'), repetitions.note(place(2, 10), 'b')]).toEqual(['new', 'new', 'new', 'repeated', 'new']);
    repetitions.end();
    expect([place(1, 0), place(1, 1), place(3, 0, 'desk'), place(2, 9), place(2, 10), place(2, 1)].map(repetitions.has)).toEqual([false, false, false, true, false, false]);
    expect([createRepetitions(new Set()).note(place(1, 0), 'a'), createRepetitions(new Set()).note(place(2, 0), 'a')]).toEqual(['new', 'new']);
  });

  it('are all found among as many records as are remembered, and beyond these all are kept and said to be unknown', () => {
    const repetitions = createRepetitions(new Set(['shop']), 5000);
    const noted = new Map<string, number>();
    const count = (word: string): void => void noted.set(word, (noted.get(word) ?? 0) + 1);
    for (let index = 0; index < 5000; index += 1) count(repetitions.note(place(1, index), `record ${index}`));
    for (let index = 0; index < 6000; index += 1) count(repetitions.note(place(2, index), `record ${index}`));
    expect([...noted]).toEqual([['new', 5000], ['repeated', 5000], ['unknown', 1000]]);
    expect([repetitions.has(place(2, 4999)), repetitions.has(place(2, 5000)), repetitions.has(place(1, 4999))]).toEqual([true, false, false]);
  });
});

describe('a redaction', () => {
  it('replaces what its paths lead to, in lists and in objects, and counts it', () => {
    const record = { author: { email: 'bob@example.com', id: 1 }, thread: [{ from: 'a' }, { from: null }, 'text'], named: { x: { name: 'n' }, y: { name: 'm' } }, list: ['p', 'q'] };
    expect(createRedaction(['$.author.email', '$.thread[*].from', '$.named[*].name', '$.list[1]'])(record)).toBe(5);
    expect(record).toEqual({ author: { email: '[redacted]', id: 1 }, thread: [{ from: '[redacted]' }, { from: null }, 'text'], named: { x: { name: '[redacted]' }, y: { name: '[redacted]' } }, list: ['p', '[redacted]'] });
  });

  it('replaces an object as a whole, and nothing where its path leads nowhere or to a prototype', () => {
    const record = { agent: { name: 'Alex' }, text: 'kept' };
    expect(createRedaction(['$.agent'])(record)).toBe(1);
    expect(createRedaction(['$.nobody.name', '$.text.length', '$.constructor.name', '$.__proto__.x'])(record)).toBe(0);
    expect(record).toEqual({ agent: '[redacted]', text: 'kept' });
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    expect(createRedaction(['$.a'])('no object')).toBe(0);
  });

  it('has paths of one form, and any other is refused with the configuration', () => {
    const hold = { category: 'c', purpose: 'p', legal_basis: 'consent', retention: 'r' };
    for (const path of ['$.a', '$[*].b-c', '$.a[0].b_c']) expect(holdSchema.safeParse({ ...hold, redact: [path] }).success).toBe(true);
    for (const path of ['a', '$', '$..a', '$.a[?(@.b)]', '$.a b', '$.a[-1]', '']) expect(holdSchema.safeParse({ ...hold, redact: [path] }).success).toBe(false);
  });
});

describe('a cell of a table', () => {
  it('is no formula, whatever goes before its sign', () => {
    for (const text of ['=1+1', '+1', '-1', '@x', ' =1', '\t=1', '\u0000=1', '\uFEFF=1', '＝1', '\r=1']) expect(csvCell(text).replace(/^"/u, '').startsWith("'")).toBe(true);
    for (const [value, cell] of [['a=b', 'a=b'], [-5, '-5'], [true, 'true'], [null, ''], ['a,b', '"a,b"'], ['say "x"', '"say ""x"""'], [{ a: 1 }, '"{""a"":1}"'], ['a\nb', '"a\nb"']] as const) expect(csvCell(value)).toBe(cell);
  });

  it('is in the column of its name, and what is beyond the columns is kept as JSON', () => {
    const columns = createCsvColumns();
    const wide = Object.fromEntries(Array.from({ length: csvColumnsMax + 2 }, (_each, index) => [`c${index}`, index]));
    for (const data of [{ b: 1 }, 'text', wide]) columns.note(data);
    expect(columns.header().startsWith('_system,_type,b,value,c0,')).toBe(true);
    expect(columns.header().trimEnd().endsWith(',_more')).toBe(true);
    expect(columns.row('s', 't', 'text').startsWith('s,t,,text,')).toBe(true);
    expect(columns.row('s', 't', wide).trimEnd().endsWith('"{""c254"":254,""c255"":255,""c256"":256,""c257"":257}"')).toBe(true);
    expect(columns.row('s', 't', wide).split('"')[0]?.split(',').length).toBe(columns.header().split(',').length);
  });
});

describe('an attachment', () => {
  it('is a record with a file name, a type and base64, and nothing else is', () => {
    expect(readAttachment({ filename: 'a', content_type: 'b', base64: 'YQ==' })).toBeDefined();
    for (const data of [null, 'x', { filename: 'a', content_type: 'b' }, { filename: 'a', content_type: 'b', base64: 'no base64!' }, { filename: 1, content_type: 'b', base64: '' }]) expect(readAttachment(data)).toBeUndefined();
  });

  it('has a path of its own that leads nowhere else, whatever its name', () => {
    const place = { connection: 'desk', task: 1, ordinal: 2, index: 3 };
    for (const name of ['../../x', '..\\..\\x', '/etc/x', 'C:\\x', '.x', '-x']) expect(attachmentPath(place, name)).toBe('attachments/desk-1-000002-00003-x');
    for (const name of ['', '..', '/', 'CON', 'lpt1.txt', '\u202E\u0000']) expect(attachmentPath(place, name)).toBe('attachments/desk-1-000002-00003-file');
    expect(attachmentPath(place, 'Żółw 1.pdf')).toMatch(/^attachments\/desk-1-000002-00003-[\w.-]+\.pdf$/u);
    expect(attachmentPath(place, 'x'.repeat(5000)).length).toBeLessThan(140);
  });
});

it('a package that came too late for an erasure says under which request data was erased, and others say nothing of it', () => {
  const facts = {
    generatedAt: '2026-11-21T10:00:00.000Z', requestId: 'req_x', reference: 'Q-1111-1111-1111', right: 'access', law: 'gdpr', jurisdiction: null, receivedAt: '2026-11-20T10:00:00.000Z',
    controller: { name: 'Shop', contact: 'privacy@shop.example' }, complaint: undefined, automatedDecisions: undefined, copiesBefore: 0, identifiers: [], notSearched: [],
  } as const;
  const survey = createSurvey((name) => name);
  const [plain, late] = [undefined, 'Q-2222-2222-2222'].map((erasedUnder) => exportDocumentSchema.parse(exportDocument({ ...facts, erasedUnder }, survey)));
  expect(plain?.metadata).not.toHaveProperty('erased_under');
  expect(late?.metadata.erased_under).toBe('Q-2222-2222-2222');
  const pages = [plain, late].map((document) => (document === undefined ? '' : [...indexPage(document)].join('')));
  expect(pages.map((page) => page.includes('What was erased under your request'))).toEqual([false, true]);
});

it('a text in a page is nothing but text, and what nobody could see is shown', () => {
  expect(escapeHtml('<a href="x" onclick=\'y\'>&`')).toBe('&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;&#96;');
  expect(escapeHtml('a\u202Eb\u0000c\nd')).toBe('a[U+202E]b[U+0000]c\nd');
});
