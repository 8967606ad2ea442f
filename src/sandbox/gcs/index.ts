import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { startSimulator, type Simulator, type SimulatorContext, type VendorDefinition } from '../simulator.ts';
import { crc32c } from './crc32c.ts';
import { hasSignedUrl, hasToken, type GcsAccount } from './gate.ts';
import { generationRoutes, refusal, refuse } from './generations.ts';
import { bucketName, createGcsState, metadataOf, plantGcs, putGeneration, type GcsState, type Generation } from './state.ts';

export type { GcsSeed, GcsSettings } from './state.ts';

const email = 'exports@sandbox.iam.gserviceaccount.example';

const paramsOf = (request: FastifyRequest): { readonly object: string; readonly query: URLSearchParams } => ({
  object: decodeURIComponent((request.params as { '*'?: string; object?: string }).object ?? (request.params as { '*'?: string })['*'] ?? ''),
  query: new URLSearchParams(request.url.split('?', 2)[1] ?? ''),
});

function addUploads(context: SimulatorContext, stateOf: () => GcsState, isAllowed: (request: FastifyRequest) => boolean): void {
  const { app } = context;
  app.post('/upload/storage/v1/b/:bucket/o', async (request, reply) => {
    if (!isAllowed(request)) return refuse(reply, 401);
    const { query } = paramsOf(request);
    const id = randomBytes(16).toString('hex');
    stateOf().uploads.set(id, { name: query.get('name') ?? '', kmsKeyName: query.get('kmsKeyName') ?? undefined, body: Buffer.alloc(0) });
    return reply.header('location', `http://${request.headers.host}/upload/storage/v1/b/${bucketName}/o?uploadType=resumable&upload_id=${id}`).send();
  });
  app.put('/upload/storage/v1/b/:bucket/o', async (request, reply) => {
    const state = stateOf();
    const upload = state.uploads.get(paramsOf(request).query.get('upload_id') ?? '');
    if (upload === undefined) return refuse(reply, 404);
    const range = /^bytes (?:(\d+)-(?:-?\d+|\*)|\*)\/(\d+|\*)$/u.exec(request.headers['content-range'] ?? 'bytes */*');
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    // What came twice, after an answer that was lost, is taken once.
    if (range?.[1] !== undefined && Number(range[1]) <= upload.body.length) upload.body = Buffer.concat([upload.body.subarray(0, Number(range[1])), body]);
    const total = range?.[2] === undefined || range[2] === '*' ? undefined : Number(range[2]);
    if (total === undefined || upload.body.length < total) {
      if (upload.body.length > 0) void reply.header('range', `bytes=0-${upload.body.length - 1}`);
      return reply.code(308).send();
    }
    const made = putGeneration(state, upload.name, { body: upload.body, kmsKeyName: state.settings.encrypts ? upload.kmsKeyName : undefined, at: context.now(), contentType: 'application/octet-stream' });
    context.effect('object.created', upload.name);
    return reply.send(metadataOf(upload.name, made));
  });
}

function addObjects(context: SimulatorContext, stateOf: () => GcsState, isAllowed: (request: FastifyRequest) => boolean, account: GcsAccount): void {
  const { app } = context;
  const sendBody = (reply: FastifyReply, found: Generation): FastifyReply => reply.header('x-goog-hash', `crc32c=${crc32c(found.body)}`).header('x-goog-generation', found.generation).type(found.contentType).send(found.body);
  const liveOf = (name: string): Generation | undefined => stateOf().objects.get(name)?.find((each) => each.isLive);

  app.get('/storage/v1/b/:bucket/o/:object', async (request, reply) => {
    if (!isAllowed(request)) return refuse(reply, 401);
    const { object, query } = paramsOf(request);
    const generation = query.get('generation');
    const found = generation === null ? liveOf(object) : stateOf().objects.get(object)?.find((each) => each.generation === generation);
    if (found === undefined) return refuse(reply, 404);
    return query.get('alt') === 'media' ? sendBody(reply, found) : reply.send(metadataOf(object, found));
  });
  app.get(`/${bucketName}/*`, async (request, reply) => {
    if (!hasSignedUrl(request, account, context.now())) return refuse(reply, 403);
    const { object, query } = paramsOf(request);
    const found = liveOf(object);
    if (found === undefined) return refuse(reply, 404);
    const disposition = query.get('response-content-disposition');
    return sendBody(disposition === null ? reply : reply.header('content-disposition', disposition), found);
  });
}

/** One bucket of Google Cloud Storage, `exports-bucket`, empty; a seed answers the key of the service account that may use it. */
export function gcsDefinition(): VendorDefinition {
  let state = createGcsState();
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const account = { email, publicKey };
  let now: () => number = Date.now;
  return {
    vendor: 'gcs',
    routes: (context) => {
      now = context.now;
      context.app.removeAllContentTypeParsers();
      context.app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
        // The sandbox's own control; what Google gets as JSON here says nothing that its address does not.
        try {
          done(null, request.url.startsWith('/_sandbox/') ? JSON.parse(String(body)) : Buffer.from(body));
        } catch (error) {
          done(error as Error);
        }
      });
      context.app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
      const isAllowed = (request: FastifyRequest): boolean => (request.params as { bucket: string }).bucket === bucketName && hasToken(request, account, context.now());
      generationRoutes(context, () => state, isAllowed);
      addUploads(context, () => state, isAllowed);
      addObjects(context, () => state, isAllowed, account);
    },
    seed: (data) => {
      plantGcs(state, data, now());
      return { bucket: bucketName, client_email: email, private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
    },
    dump: () => ({ objects: [...state.objects].map(([name, generations]) => ({ name, generations: generations.map((each) => ({ generation: each.generation, isLive: each.isLive, kmsKeyName: each.kmsKeyName, bytes: each.body.length })) })), uploads: state.uploads.size, soft_deleted: state.softDeleted.length }),
    errorBody: (status) => refusal(status),
    reset: () => {
      state = createGcsState();
    },
  };
}

/** Starts a simulator of Google Cloud Storage on 127.0.0.1. */
export async function startGcs(options: { port?: number } = {}): Promise<Simulator> {
  return startSimulator(gcsDefinition(), options);
}
