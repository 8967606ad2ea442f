import { beforeAll, describe, expect, test } from 'vitest';
import { formatId } from '../../src/contract/ids.ts';
import { newId } from '../../src/platform/ids.ts';
import { apiKey, call, sendWebhook } from '../support/quittance.ts';
import { openRequest, plantAda, useBench } from '../support/running.ts';

const bench = useBench();

interface Operation {
  readonly security?: readonly unknown[];
}
interface Route {
  readonly method: string;
  readonly path: string;
  readonly isGuarded: boolean;
}

/** What anybody may call: it says nothing of anybody, or asks for a proof of its own (a signature, a code). */
const openRoutes = ['GET /.well-known/quittance-log-key', 'GET /healthz', 'GET /readyz', 'GET /v1/exports/{token}', 'POST /v1/callbacks/{connection}', 'POST /v1/events/{id}/acknowledgements', 'POST /v1/exports/{token}/code', 'POST /v1/exports/{token}/download', 'POST /v1/intake/{source}', 'POST /v1/privacy-requests/{id}/verification'];

let url = '';
let id = '';
let routes: readonly Route[] = [];

beforeAll(async () => {
  url = (await bench.start({ requests: { approval: 'required' } }, { isShared: true })).url;
  id = String((await sendWebhook(url, { email: 'nobody@example.com' }, { source: 'portal' })).body['id']);
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, Record<string, Operation>> };
  routes = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, isGuarded: (operation.security ?? []).length > 0 })),
  );
});

const filled = (path: string): string => path.replace('{id}', path.includes('manual-tasks') ? formatId('manualTask', newId('manualTask')) : id).replace('{name}', 'stripe').replace('{*}', '0/000');

async function ask(route: Route, authorization: string | undefined): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${url}${filled(route.path)}`, { method: route.method, headers: authorization === undefined ? {} : { authorization } });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('without a key', () => {
  test('every route of the description but the named open ones is guarded', () => {
    expect(routes.length).toBeGreaterThan(20);
    expect(routes.filter((route) => !route.isGuarded).map((route) => `${route.method} ${route.path}`).toSorted()).toEqual(openRoutes);
  });

  test.each([
    ['none', undefined],
    ['a wrong one', 'Bearer not-the-key'],
    ['an empty one', 'Bearer '],
    ['one by another scheme', `Basic ${Buffer.from(`tester:${apiKey}`).toString('base64')}`],
    ['one with something behind it', `Bearer ${apiKey}x`],
  ])('a caller with %s is told the same 401 everywhere, before anything about the body or the object', async (_which, authorization) => {
    for (const route of routes.filter((each) => each.isGuarded)) {
      const { status, body } = await ask(route, authorization);
      expect({ route: `${route.method} ${route.path}`, status, code: body['code'] }).toEqual({ route: `${route.method} ${route.path}`, status: 401, code: 'UNAUTHORIZED' });
    }
  });

  test('the same calls with the key are let in', async () => {
    for (const route of routes.filter((each) => each.isGuarded && each.method === 'GET' && !each.path.endsWith('/events') && !each.path.includes('/audit/'))) {
      const response = await fetch(`${url}${filled(route.path)}`, { headers: { authorization: `Bearer ${apiKey}` } });
      await response.arrayBuffer();
      expect({ path: route.path, refused: response.status === 401 }).toEqual({ path: route.path, refused: false });
    }
  });
});

describe('an id that names nothing', () => {
  const wrongs = [formatId('request', newId('request')), formatId('task', newId('task')), 'req_', 'req_zzzzzzzzzzzzzzzzzzzzzzzzzz', '1', "req_' OR 1=1 --", 'x'.repeat(64)];
  const about: readonly (readonly [string, string, unknown])[] = [
    ['GET', '', undefined],
    ['GET', '/plan', undefined],
    ['GET', '/tasks', undefined],
    ['GET', '/timeline', undefined],
    ['GET', '/events', undefined],
    ['GET', '/certificate', undefined],
    ['POST', '/approve', {}],
    ['POST', '/withdraw', {}],
    ['POST', '/retry', {}],
    ['POST', '/reject', { reason_code: 'process_excessive' }],
  ];
  test.each(about)('answers %s …%s with one and the same 404, whatever it looks like', async (method, path, body) => {
    const answers = await Promise.all(
      wrongs.map(async (each) => call(url, `/v1/privacy-requests/${encodeURIComponent(each)}${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })),
    );
    expect(answers.map((each) => each.status)).toEqual(wrongs.map(() => 404));
    expect(new Set(answers.map((each) => JSON.stringify(each.body))).size).toBe(1);
    expect(answers[0]?.body).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('tells nobody by a wrong code which requests exist', async () => {
    const give = async (request: string) => call(url, `/v1/privacy-requests/${request}/verification`, { method: 'POST', body: JSON.stringify({ code: '12345678' }) });
    const [unknown, ended] = [await give(formatId('request', newId('request'))), await give(formatId('task', newId('task')))];
    const real = await give(id);
    expect(unknown).toEqual(real);
    expect(ended).toEqual(real);
    expect(real.status).toBe(403);
  });

  test('is refused among manual tasks and connections too', async () => {
    const settle = async (task: string) => call(url, `/v1/manual-tasks/${task}/settle`, { method: 'POST', body: JSON.stringify({ how: 'retry' }) });
    const both = [await settle(formatId('manualTask', newId('manualTask'))), await settle('nonsense'), await settle(id)];
    expect(both.map((each) => each.status)).toEqual([404, 404, 404]);
    expect(new Set(both.map((each) => JSON.stringify(each.body))).size).toBe(1);
    expect((await call(url, '/v1/connections/nobody/suspend', { method: 'POST' })).status).toBe(404);
  });
});

describe('the list of requests', () => {
  test('gives every request once over its pages, newest first', async () => {
    plantAda(bench.sandbox());
    const opened: string[] = [id];
    for (let number = 0; number < 5; number += 1) opened.push(await openRequest(url, { email: `list${number}@example.com` }));
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Awaited<ReturnType<typeof call>> = await call(url, `/v1/privacy-requests?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      expect(page.status).toBe(200);
      seen.push(...(page.body['items'] as unknown as { id: string }[]).map((each) => each.id));
      cursor = page.body['next_cursor'] as unknown as string | null;
    }
    expect(seen).toEqual(opened.toReversed());
  });

  test.each(['cursor=nonsense', 'limit=0', 'limit=101', 'limit=x', 'status=unheard', 'surprise=1'])('refuses ?%s by name', async (query) => {
    const { status, body } = await call(url, `/v1/privacy-requests?${query}`);
    expect({ status, code: body['code'] }).toEqual({ status: 400, code: 'VALIDATION_FAILED' });
  });
});
