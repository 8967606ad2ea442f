import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { join, relative } from 'node:path';
import { z } from 'zod';
import type { Sandbox } from '../../sandbox/index.ts';
import { decodeBundle, openCheckpoint, parseVerifierKey, tilePath, tilesOfLevel, verifyCertificate, verifyFolder } from '../../verify/index.ts';
import { auditResultSchema } from '../api-schemas.ts';
import { readAnswer, type ApiClient } from '../api-client.ts';
import { createLogReader } from '../audit-over-http.ts';
import { CommandError } from '../command-error.ts';
import { requestPath } from '../request-id.ts';
import type { Expectations } from './expectations.ts';
import { manualTasksOf, type PlayedRequest } from './play-requests.ts';

/** What looking at the proof needs. */
export interface ProofOptions {
  readonly sandbox: Sandbox;
  readonly played: readonly PlayedRequest[];
  /** Where certificates and the log's public key are written. */
  readonly folder: string;
  readonly relativeTo: string;
  readonly expect: Expectations['expect'];
  readonly signal: AbortSignal;
}

/** How soon to ask again for what no event tells of. */
const askAgainMs = 250;
/** How long to wait for it. A certificate comes within a second or two of its request's end, and so does what follows from it. */
const waitMs = 20_000;

/** Saves and verifies the certificates offline, verifies the whole log, and looks for the end of the data keys. Answers the lines to print. */
export async function lookAtProof(api: ApiClient, options: ProofOptions): Promise<readonly string[]> {
  const { played, folder, expect, signal } = options;
  const key = (await api.getBytes('/.well-known/quittance-log-key')).toString('utf8').trim();
  const keyPath = join(folder, 'log-key');
  writeFileSync(keyPath, `${key}\n`);
  const lines: string[] = [];
  const closed = played.filter(({ demo }) => demo.endsWith === 'closed');
  for (const each of closed) lines.push(...(await lookAtCertificate(api, each, key, options)));
  for (const each of played.filter(({ demo }) => demo.endsWith === 'escalated')) await lookAtEscalation(api, each, options);
  const ids = closed.map(({ request }) => request.id);
  const shredded = await until(signal, async () => {
    const gone = (await readEntries(api, key)).filter((entry) => entry.type === 'request.shredded').map((entry) => entry.request_id);
    return ids.every((id) => gone.includes(id)) ? ids.length : undefined;
  });
  expect('the data keys of the closed requests are destroyed', shredded === closed.length, `${shredded ?? 0} of ${closed.length} recorded in the log`);
  lines.push(`Data keys destroyed: ${shredded ?? 0} of ${closed.length}. What Quittance held of these people cannot be opened any more, by anybody.`);
  const own = readAnswer(auditResultSchema, await api.post('/v1/audit/verification', {}));
  expect('the server verifies its whole log', own.ok, own.message ?? `${own.size ?? 0} rows`);
  const verified = await verifyFolder(createLogReader(api), { trust: { keys: [key] } });
  expect('the published log verifies with the public key alone', verified.ok, verified.ok ? `${verified.size} rows, ${verified.grade}` : verified.message);
  lines.push(verified.ok ? `Audit log: VALID, ${verified.size} rows under a signed head.` : `Audit log: NOT VALID: ${verified.message}`);
  lines.push(`The log’s public key: ${relative(options.relativeTo, keyPath)}`);
  return lines;
}

async function lookAtCertificate(api: ApiClient, { request, demo }: PlayedRequest, key: string, options: ProofOptions): Promise<readonly string[]> {
  const { expect } = options;
  const bytes = await until(options.signal, () => notYet(() => api.getBytes(`${requestPath(request.id)}/certificate`)));
  if (bytes === undefined) {
    expect(`${demo.title}: a certificate is issued`, false);
    return [];
  }
  const path = join(options.folder, `certificate-${request.reference}.json`);
  writeFileSync(path, bytes);
  const result = verifyCertificate(bytes, { keys: [key] });
  expect(`${demo.title}: the certificate verifies offline`, result.ok, result.ok ? `row ${result.index} of ${result.size}` : result.message);
  const middle = Math.floor(bytes.length / 2);
  const changed = Buffer.from(bytes);
  changed[middle] = (changed[middle] ?? 0) ^ 1;
  const forged = verifyCertificate(changed, { keys: [key] });
  expect(`${demo.title}: with one bit changed it does not`, !forged.ok, forged.ok ? 'it did' : `check: ${forged.check}`);
  const { person } = demo;
  const named = [person.email, person.phone, person.stripeCustomerId, person.userId, person.name].filter((each) => bytes.includes(each));
  expect(`${demo.title}: the certificate names nobody`, named.length === 0);
  const shown = relative(options.relativeTo, path);
  const verdict = result.ok ? `VALID, row ${result.index} of ${result.size} in ${result.origin}` : `NOT VALID: ${result.message}`;
  return [`Certificate of ${request.reference}: ${shown}`, `  ${verdict}${forged.ok ? '' : `; with one bit changed: refused (${forged.check})`}`];
}

async function lookAtEscalation(api: ApiClient, { request, demo }: PlayedRequest, options: ProofOptions): Promise<void> {
  const { expect, sandbox } = options;
  const certificate = await notYet(() => api.getBytes(`${requestPath(request.id)}/certificate`));
  expect(`${demo.title}: there is no certificate for it`, certificate === undefined);
  const waiting = await manualTasksOf(api, request.id);
  expect(`${demo.title}: it waits for a person`, waiting > 0, `${waiting} manual tasks`);
  const toDpo = (): number => sandbox.mail.messages.filter((each) => each.to.includes('dpo@example.com')).length;
  const alerted = await until(options.signal, async () => (toDpo() > 0 ? toDpo() : undefined));
  expect(`${demo.title}: the data protection officer was alerted by mail`, (alerted ?? 0) > 0, `${alerted ?? 0} messages`);
}

/** Answers undefined while the server says that it is not there yet. */
async function notYet<Result>(ask: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof CommandError && error.message.includes('CERTIFICATE_NOT_READY')) return undefined;
    throw error;
  }
}

/** Asks until there is an answer; undefined once the time is up. */
async function until<Result>(signal: AbortSignal, ask: () => Promise<Result | undefined>): Promise<Result | undefined> {
  const enough = AbortSignal.any([signal, AbortSignal.timeout(waitMs)]);
  while (!enough.aborted) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await pause(askAgainMs);
  }
  return undefined;
}

const entrySchema = z.looseObject({ type: z.string(), request_id: z.string().optional() });

/** Reads the entries of the published log; what they are worth is said by its verification. */
async function readEntries(api: ApiClient, key: string): Promise<readonly z.infer<typeof entrySchema>[]> {
  const read = createLogReader(api);
  const note = await read('checkpoint');
  const parsed = parseVerifierKey(key);
  if (note === undefined || !parsed.ok) return [];
  const opened = openCheckpoint(Buffer.from(note).toString('utf8'), [parsed.key]);
  if (!opened.ok) throw new Error(`The head of the log does not verify: ${opened.message}`);
  const entries: z.infer<typeof entrySchema>[] = [];
  for (const tile of tilesOfLevel('entries', opened.checkpoint.size)) {
    const bytes = await read(tilePath(tile));
    const bundle = bytes === undefined ? undefined : decodeBundle(bytes, tile.width);
    if (bundle?.ok !== true) throw new Error(`The published log lacks ${tilePath(tile)}`);
    entries.push(...bundle.entries.map((entry) => entrySchema.parse(JSON.parse(entry.toString('utf8')))));
  }
  return entries;
}
