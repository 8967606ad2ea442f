import { finished } from 'node:stream/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { errorTable } from '../../contract/errors.ts';
import { parseId, type RequestId } from '../../contract/ids.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import type { HttpServer } from '../../platform/http/server.ts';
import type { Log } from '../../platform/log.ts';
import type { Authenticate } from '../access/index.ts';
import type { Delivery, OpenLink, PackageStream } from './delivery.ts';
import { styleHash } from './domain/html.ts';
import { linkPage, type LinkPage } from './domain/link-pages.ts';
import type { Exports } from './exports.ts';

/** What the routes need. */
export interface ExportRoutesDeps {
  readonly exports: Exports;
  readonly authenticate: Authenticate;
  readonly controllerName: string;
  /** Where links of the storage lead: a form's answer may go there. */
  readonly linkOrigin: string | undefined;
  readonly log: Log;
}

const statusSchema = z.object({
  state: z.enum(['making', 'ready', 'stale', 'failed', 'ended']),
  ended_why: z.enum(['expired', 'revoked', 'shredded']).nullable(),
  error_code: z.string().nullable(),
  encryption: z.enum(['age', 'storage']).nullable(),
  bytes: z.int().nullable(),
  records: z.int().nullable(),
  categories: z.record(z.string(), z.int()),
  left_out: z.int(),
  findings: z.array(z.object({ code: z.literal('type_not_declared'), system: z.string(), type: z.string(), records: z.int() })).readonly(),
  copies_before: z.int().nullable().describe('Copies that the person was given in the twelve months before; over 0 the copy is a repetition.'),
  expires_at: z.string().nullable(),
  downloads: z.int(),
  downloaded_at: z.string().nullable(),
});

const requestParams = z.object({ id: z.string().max(64) });

/** The request in a route's parameters; an id that is none answers as one without a package. */
function requestIdOf(text: string): RequestId {
  const id = parseId('request', text);
  if (id === undefined) throw new Failure('NOT_FOUND', 'This request has no package');
  return id;
}

const tokenParams = z.object({ token: z.string().max(128) });
const codeBody = z.strictObject({
  code: z.string().max(32).describe('The digits that were sent; spaces and dashes are passed over.'),
  recipient: z.string().max(200).optional().describe('The person’s own public key of age (age1…): the package is encrypted to it on its way out.'),
});

/** Registers what an operator sees of a request's package, and its revocation. */
function registerOperatorRoutes(app: HttpServer, { exports, authenticate, log }: ExportRoutesDeps): void {
  const security = [{ apiKey: [] }];
  app.get(
    '/v1/privacy-requests/:id/export',
    { schema: { summary: 'Read where the package of an access or portability request stands', tags: ['exports'], security, params: requestParams, response: { 200: statusSchema } } },
    async (request) => {
      authenticate(request);
      const status = await exports.statusOf(requestIdOf(request.params.id));
      if (status === undefined) throw new Failure('NOT_FOUND', 'This request has no package');
      return { ...status, categories: { ...status.categories } };
    },
  );
  app.delete(
    '/v1/privacy-requests/:id/export',
    { schema: { summary: 'Revoke the package: its link is dead at once, and it and its pages are deleted', tags: ['exports'], security, params: requestParams, response: { 204: z.null() } } },
    async (request, reply) => {
      const operator = authenticate(request);
      await exports.revoke(requestIdOf(request.params.id), operator.name);
      return reply.code(204).send(null);
    },
  );
  app.get(
    '/v1/privacy-requests/:id/export/file',
    { schema: { summary: 'Fetch the package in clear, to give it to a person who could not be told where it is', tags: ['exports'], security, params: requestParams } },
    async (request, reply) => {
      const operator = authenticate(request);
      const requestId = requestIdOf(request.params.id);
      const handout = await exports.delivery.handToOperator(requestId, operator.name);
      onceSent(reply, handout.delivered, log, requestId);
      return sendPackage(reply, handout);
    },
  );
}

/** Streams a package; nothing between here and who asked may keep it. */
function sendPackage(reply: FastifyReply, { stream, filename, contentType }: PackageStream): FastifyReply {
  return reply.code(200).header('cache-control', 'no-store').header('x-content-type-options', 'nosniff').type(contentType).header('content-disposition', `attachment; filename="${filename}"`).send(stream);
}

const isForm = (request: FastifyRequest): boolean => (request.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded');
const wantsPage = (request: FastifyRequest): boolean => isForm(request) || /\btext\/html\b/u.test(request.headers.accept ?? '');

/** Keeps what a link leads to out of caches, frames and the next page's referrer, and tells the limit as draft-ietf-httpapi-ratelimit-headers-10 writes it. */
function guard(reply: FastifyReply, linkOrigin: string | undefined): void {
  void reply
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .header('x-content-type-options', 'nosniff')
    .header('x-robots-tag', 'noindex')
    .header('content-security-policy', `default-src 'none'; style-src ${styleHash}; form-action 'self'${linkOrigin === undefined ? '' : ` ${linkOrigin}`}; base-uri 'none'; frame-ancestors 'none'`);
}

function sendPage(reply: FastifyReply, status: number, page: LinkPage): FastifyReply {
  return reply.code(status).type('text/html; charset=utf-8').send(linkPage(page));
}

type LinkHandler = (link: OpenLink, request: FastifyRequest, reply: FastifyReply, page: LinkPage) => Promise<FastifyReply>;

/** Opens the link for a handler, and shows people who came by it what went wrong as a page. */
function throughLink(deps: ExportRoutesDeps, token: string, handler: LinkHandler): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> {
  const title = `Your data at ${deps.controllerName}`;
  const forms = { code: `/v1/exports/${encodeURIComponent(token)}/code`, download: `/v1/exports/${encodeURIComponent(token)}/download` };
  return async (request, reply) => {
    guard(reply, deps.linkOrigin);
    let link: OpenLink | undefined;
    try {
      link = await deps.exports.delivery.open(token);
      void reply.header('ratelimit-policy', `"minute";q=${link.place.perMinute};w=60`).header('ratelimit', `"minute";r=${link.place.remaining};t=60`);
      return await handler(link, request, reply, { title, paragraphs: [], forms });
    } catch (error) {
      if (!isFailure(error) || !wantsPage(request)) throw error;
      if (error.retryAfterMs !== undefined) void reply.header('retry-after', String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
      return sendPage(reply, errorTable[error.code].status, { title, paragraphs: [`${error.detail}.`], ...(link === undefined ? {} : { forms }) });
    }
  };
}

/** Says that a package was handed out when its last byte was taken; one that broke off was not. */
function onceSent(reply: FastifyReply, delivered: () => Promise<void>, log: Log, requestId: RequestId): void {
  finished(reply.raw).then(delivered, () => undefined).catch((error: unknown) => {
    log.error({ request_id: requestId, err: error }, 'it could not be noted that a package was handed out');
  });
}

async function handOut(deps: ExportRoutesDeps, delivery: Delivery, link: OpenLink, { code, recipient }: z.infer<typeof codeBody>, reply: FastifyReply): Promise<FastifyReply> {
  const handout = await delivery.download(link, code, recipient);
  if (handout.kind === 'link') return reply.code(303).header('location', handout.url).send();
  onceSent(reply, handout.delivered, deps.log, link.requestId);
  return sendPackage(reply, handout);
}

/** Registers the routes of packages: those of the person behind a link, and those of operators. */
export function registerExportRoutes(app: HttpServer, deps: ExportRoutesDeps): void {
  registerOperatorRoutes(app, deps);
  const { delivery } = deps.exports;
  void app.register(async (scope: HttpServer) => {
    scope.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string', bodyLimit: 1024 }, async (_request: FastifyRequest, body: string) => Object.fromEntries(new URLSearchParams(body)));
    scope.get('/v1/exports/:token', { schema: { summary: 'The mailed link to a package: a page that asks for a code', tags: ['exports'], params: tokenParams } }, async (request, reply) =>
      throughLink(deps, request.params.token, async (link, _request, answer, page) => {
        const until = link.expiresAt.toISOString();
        if (!wantsPage(request)) return answer.send({ status: 'ready', expires_at: until });
        return sendPage(answer, 200, { ...page, paragraphs: [`Your data can be downloaded until ${until.slice(0, 10)}.`, 'Since a link can fall into other hands, we first send a code to the address that we know you by.'] });
      })(request, reply),
    );
    scope.post('/v1/exports/:token/code', { schema: { summary: 'Have a code sent to the address that is proven', tags: ['exports'], params: tokenParams, body: z.strictObject({}).nullish() } }, async (request, reply) =>
      throughLink(deps, request.params.token, async (link, _request, answer, page) => {
        await delivery.requestCode(link);
        if (!wantsPage(request)) return answer.code(202).send({ status: 'accepted', detail: 'A code is on its way, unless one was sent within the last minute or five were sent today' });
        return sendPage(answer, 200, { ...page, paragraphs: ['A code is on its way, unless one was sent within the last minute or five were sent today. Give it here.'] });
      })(request, reply),
    );
    scope.post('/v1/exports/:token/download', { schema: { summary: 'Download the package with the code', tags: ['exports'], params: tokenParams, body: codeBody } }, async (request, reply) =>
      throughLink(deps, request.params.token, (link, _request, answer) => handOut(deps, delivery, link, request.body, answer))(request, reply),
    );
  });
}
