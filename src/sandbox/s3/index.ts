import type { FastifyReply, FastifyRequest } from 'fastify';
import { startSimulator, type Simulator, type SimulatorContext, type VendorDefinition } from '../simulator.ts';
import { authenticate, problemBody, S3Problem } from './gate.ts';
import { multipartOperations } from './multipart.ts';
import { objectOperations } from './objects.ts';
import type { S3Answer, S3Call } from './operation.ts';
import { createS3State, dumpS3, plantS3, type S3State } from './state.ts';
import { versionOperations } from './versions.ts';

export { s3Credentials } from './gate.ts';
export type { S3Seed } from './state.ts';

const operations = [...versionOperations, ...multipartOperations, ...objectOperations];

function perform(state: S3State, context: SimulatorContext, request: FastifyRequest): S3Answer {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  authenticate(request, body, context.now());
  const [path = '', search = ''] = request.url.split('?', 2);
  const [, bucketName = '', ...rest] = path.split('/');
  const key = decodeURIComponent(rest.join('/'));
  const bucket = state.buckets.get(decodeURIComponent(bucketName));
  if (bucket === undefined) throw new S3Problem(404, 'NoSuchBucket');
  const query = new URLSearchParams(search);
  const on = key === '' ? 'bucket' : 'object';
  const operation = operations.find((each) => each.method === request.method && each.on === on && (each.parameter === undefined || query.has(each.parameter)));
  if (operation === undefined) throw new S3Problem(501, 'NotImplemented');
  const call: S3Call = { state, context, request, bucket, key, query, body };
  return operation.handle(call);
}

/** Amazon S3 with buckets in the path, empty; each call gives a separate one. */
export function s3Definition(): VendorDefinition {
  let state = createS3State();
  let now: () => number = Date.now;
  return {
    vendor: 's3',
    routes: (context: SimulatorContext) => {
      const { app } = context;
      now = context.now;
      app.removeAllContentTypeParsers();
      app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
        // The sandbox's own control; S3 itself takes any bytes.
        try {
          done(null, request.url.startsWith('/_sandbox/') ? JSON.parse(String(body)) : Buffer.from(body));
        } catch (error) {
          done(error as Error);
        }
      });
      app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
      app.setErrorHandler((error, _request, reply) => {
        const problem = error instanceof S3Problem ? error : new S3Problem((error as { statusCode?: number }).statusCode ?? 500, 'InternalError');
        return reply.code(problem.status).header('content-type', 'application/xml').send(problemBody(problem.code));
      });
      app.all('/*', async (request: FastifyRequest, reply: FastifyReply) => {
        const { status = 200, headers = {}, body } = perform(state, context, request);
        const type = typeof body === 'string' ? { 'content-type': 'application/xml' } : {};
        return reply.code(status).headers({ ...type, ...headers }).send(body);
      });
    },
    seed: (data) => plantS3(state, data, now()),
    dump: () => dumpS3(state),
    errorBody: (status) => problemBody(status === 503 ? 'SlowDown' : status === 403 ? 'AccessDenied' : 'InternalError'),
    reset: () => {
      state = createS3State();
    },
  };
}

/** Starts the simulated S3 on 127.0.0.1. */
export async function startS3(options: { port?: number } = {}): Promise<Simulator> {
  return startSimulator(s3Definition(), options);
}
