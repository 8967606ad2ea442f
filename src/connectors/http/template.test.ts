import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { declarationSchema, type DeclarationInput } from './declaration.ts';
import { renderRequest } from './render-request.ts';
import { renderJson, renderText } from './template.ts';

const hostile = `x"}, "scope": ["everything"], "{{request.id}}": "\\u0022`;

describe('what is filled into a template', () => {
  it('stays one text in a JSON body, whatever is in it, and is not read as a template again', () => {
    const body = renderJson({ subject: { id: '{{identifier.value}}' }, scope: ['contacts'] }, { 'identifier.value': hostile, 'request.id': 'req_1' });
    expect(JSON.parse(JSON.stringify(body))).toEqual({ subject: { id: hostile }, scope: ['contacts'] });
  });

  it('stays one segment of a path and one value of a query', () => {
    const request = { method: 'GET', path: '/subjects/{{identifier.value}}/notes', headers: {}, query: { q: '{{identifier.value}}', fixed: '1' } } as const;
    const { url } = renderRequest('https://crm.example.com/privacy', request, { 'identifier.value': 'a/../b?x=1&fixed=2#f%2e\n+' });
    expect(url.pathname).toBe('/privacy/subjects/a%2F..%2Fb%3Fx%3D1%26fixed%3D2%23f%252e%0A%2B/notes');
    expect([...url.searchParams.entries()]).toEqual([['q', 'a/../b?x=1&fixed=2#f%2e\n+'], ['fixed', '1']]);
    expect(url.hash).toBe('');
  });

  it.each(['.', '..', '%2e%2e'])('refuses %s as a segment of a path, by which another path would be called', (value) => {
    const request = { method: 'DELETE', path: '/subjects/{{identifier.value}}', headers: {}, query: {} } as const;
    const render = (): string => renderRequest('https://crm.example.com/privacy', request, { 'identifier.value': value }).url.pathname;
    if (value.startsWith('%')) expect(render()).toBe('/privacy/subjects/%252e%252e');
    else expect(render).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
  });

  it.each(['a\r\nX-Admin: 1', 'a\nb', 'ä', ' a', ''])('refuses %j in a header', (value) => {
    const request = { method: 'GET', path: '/', headers: { 'X-Subject': '{{identifier.value}}' }, query: {} } as const;
    expect(() => renderRequest('https://crm.example.com', request, { 'identifier.value': value })).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
    expect(renderRequest('https://crm.example.com', request, { 'identifier.value': 'plain' }).headers).toMatchObject({ 'x-subject': 'plain' });
  });

  it('goes through filters of a closed list, in order', () => {
    const value = { 'identifier.value': "Ada.O'Brien@Example.com" };
    expect(renderText('{{identifier.value | lower}}', value)).toBe("ada.o'brien@example.com");
    expect(renderText('{{ identifier.value|upper }}', value)).toBe("ADA.O'BRIEN@EXAMPLE.COM");
    expect(renderText("Email = '{{identifier.value | lower | escaped}}'", value)).toBe("Email = 'ada.o\\'brien@example.com'");
    expect(renderText('{{identifier.value | digits}}', { 'identifier.value': '+1 202-555-0123' })).toBe('12025550123');
    const hash = createHash('sha256').update('ada@example.com').digest('hex');
    expect(renderText('{{identifier.value | lower | sha256}}', { 'identifier.value': 'ADA@example.com' })).toBe(hash);
    expect(renderText('{{identifier.value | sha256}}', { 'identifier.value': '' })).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  it('leaves a field out where an optional value is missing, and fails where a needed one is', () => {
    expect(renderJson({ a: '{{job.genesys?}}', b: ['{{job.genesys?}}', 'x'], c: 'job {{job.genesys?}}' }, {})).toEqual({ b: ['x'] });
    expect(renderJson({ a: '{{job.genesys?}}' }, { 'job.genesys': '7c1f' })).toEqual({ a: '7c1f' });
    expect(() => renderJson({ a: '{{job.genesys}}' }, {})).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
  });

  it.each(['constructor', '__proto__'])('finds no value that nobody gave: %s', (name) => {
    expect(() => renderText(`{{${name}}}`, {})).toThrow();
    expect(() => renderText('{{job.x}}', Object.create({ 'job.x': 'inherited' }) as Record<string, string>)).toThrow();
  });
});

const minimal: DeclarationInput = {
  base_url: 'https://crm.example.com',
  identifiers: { email: 'email' },
  check: { request: { path: '/me' }, works: { status: 200 } },
  erase: [{ request: { method: 'DELETE', path: '/subjects/{{identifier.value}}' }, answers: [{ status: 204, is: 'success' }] }],
};
const step = minimal.erase[0] as DeclarationInput['erase'][number];
const lookUp = { type: 'contacts', request: { path: '/contacts' }, items: '$.contacts' };

describe('a declaration', () => {
  it('is accepted where everything in it is known', () => {
    expect(declarationSchema.safeParse(minimal).success).toBe(true);
  });

  it.each<[string, DeclarationInput | Record<string, unknown>, string]>([
    ['a name that does not exist', { ...minimal, erase: [{ ...step, request: { path: '/{{identifier.secret}}' } }] }, 'is not known here'],
    ['code in a placeholder', { ...minimal, erase: [{ ...step, request: { path: '/{{identifier.value.replace("a","b")}}' } }] }, 'no placeholder'],
    ['a filter that does not exist', { ...minimal, erase: [{ ...step, request: { path: '/{{identifier.value | eval}}' } }] }, 'there is no filter'],
    ['an optional part of a path', { ...minimal, erase: [{ ...step, request: { path: '/{{request.jurisdiction?}}' } }] }, 'nothing in a path is optional'],
    ['a page where nothing is paged', { ...minimal, locate: [{ ...lookUp, request: { path: '/contacts', query: { page: '{{page?}}' } } }] }, 'is not known here'],
    ['a job outside of an erasure', { ...minimal, locate: [{ ...lookUp, request: { path: '/contacts', query: { job: '{{job.genesys?}}' } } }] }, 'is not known here'],
    ['a path of another host', { ...minimal, erase: [{ ...step, request: { path: '//evil.example/x' } }] }, 'must start with one slash'],
    ['credentials in the address', { ...minimal, base_url: 'https://user:secret@crm.example.com' }, 'must have no credentials'],
    ['a scheme that is not http', { ...minimal, base_url: 'file:///etc/passwd' }, ''],
    ['a callback without a poll or a confirm', { ...minimal, callback: { secret: 's', job: '$.id' } }, 'needs a poll or a confirm'],
    ['a callback with a confirm by the system’s word only', { ...minimal, locate: [lookUp], confirm: { by: 'attestation' }, callback: { secret: 's', job: '$.id' } }, 'needs a poll or a confirm'],
    ['records of a type that nothing finds', { ...minimal, erase: [{ ...step, each: 'contacts' }] }, 'must be the type of a look-up'],
    ['a parent that is erased before what is found by it', {
      ...minimal,
      locate: [lookUp, { type: 'notes', of: 'contacts', request: { path: '/contacts/{{parent.id}}/notes' } }],
      erase: [{ ...step, each: 'contacts' }, { ...step, each: 'notes' }],
    }, 'must be erased before contacts'],
    ['a poll by a job that no answer names', { ...minimal, erase: [{ ...step, answers: [{ status: 202, is: 'pending' }], poll: { request: { path: '/jobs/{{vendor_job}}' }, answers: [{ status: 200, is: 'success' }] } }] }, 'every pending answer must say where its job is'],
    ['nothing that shows that the credentials work', { ...minimal, check: undefined }, 'is needed where there is no look-up'],
    ['a path that is more than a path', { ...minimal, erase: [{ ...step, answers: [{ status: 200, is: 'success', counts: { contacts: '$..deleted' } }] }] }, 'must be a path'],
    ['an unknown key', { ...minimal, rectify: {} }, ''],
  ])('is refused with %s', (_what, declaration, message) => {
    const parsed = declarationSchema.safeParse(declaration);
    expect(parsed.success).toBe(false);
    expect(parsed.error?.issues.map((issue) => issue.message).join('; ')).toContain(message);
  });

  it('may have a callback where there is a read-back', () => {
    expect(declarationSchema.safeParse({ ...minimal, locate: [lookUp], callback: { secret: 's', job: '$.id' } }).success).toBe(true);
  });
});
