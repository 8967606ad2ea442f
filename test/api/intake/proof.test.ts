import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { networkTransport } from '../../../src/connector-kit/index.ts';
import { parseId, type RequestId } from '../../../src/contract/ids.ts';
import { createProofService } from '../../../src/modules/intake/index.ts';
import { proofToken, startProofService } from '../../../src/sandbox/proof/index.ts';
import type { Fault, Simulator } from '../../../src/sandbox/simulator.ts';
import { apiKey, openIntakeWorld, post, sendWebhook, type IntakeWorld } from './intake-world.ts';

let world: IntakeWorld;
let service: Simulator;
const right = 'proof-of-ada-0001-of-sixteen-or-more';
const ada = { email: 'ada@example.com', phone: '+12025550143' };

beforeAll(async () => {
  world = await openIntakeWorld(undefined, { failedProofsPerHour: 20 });
  service = await startProofService();
});
beforeEach(async () => {
  service.reset();
  service.seed({ people: [{ identity_proof_hash: right, ...ada }] });
  world.services.askProof = serviceAt(`${service.url}/check`);
  await sql`DELETE FROM rate_limit`.execute(world.database.read());
  await sql`DELETE FROM failed_proof`.execute(world.database.read());
});
afterAll(async () => {
  await world.close();
  await service.close();
});

function serviceAt(url: string): IntakeWorld['services']['askProof'] {
  const secrets = { environment: { PROOF_TOKEN: proofToken }, readFile: () => '' };
  return createProofService({ url, token: '${env:PROOF_TOKEN}', timeout_seconds: 0.5 }, { clock: world.clock, secrets, transport: networkTransport });
}

let count = 0;
interface Opening {
  readonly id: RequestId;
  readonly outside: string;
  readonly body: string;
  readonly answer: unknown;
  readonly give: (proof: string) => Promise<{ statusCode: number; json: () => unknown }>;
}

/** Opens a request with a proof. */
async function open(proof = right, change: Record<string, unknown> = {}): Promise<Opening> {
  count += 1;
  const body = { request_id: `case-${count}`, subject_email: ada.email, subject_phone: ada.phone, identity_proof_hash: proof, ...change };
  const answer = await sendWebhook(world, { source: 'proven', body: JSON.stringify(body) });
  expect(answer.statusCode).toBe(202);
  const outside = answer.json<{ id: string }>().id;
  const id = parseId('request', outside);
  if (id === undefined) throw new Error('no id');
  return { id, outside, body: JSON.stringify(body), answer: answer.json(), give: (another) => sendWebhook(world, { source: 'proven', body: JSON.stringify({ ...body, identity_proof_hash: another }) }) };
}

const one = async <Row>(query: ReturnType<typeof sql<Row>>): Promise<Row> => {
  const row = (await query.execute(world.database.read())).rows[0];
  if (row === undefined) throw new Error('no row');
  return row;
};
const stored = (id: RequestId): Promise<{ status: string; verified_by: string | null; proof: Buffer | null; asked: number; attempts: number; wait: number }> =>
  one(sql`SELECT r.status, r.verified_by, v.proof, v.asked, v.attempts, coalesce(extract(epoch FROM v.wake_at - now()), -1)::float8 AS wait
    FROM privacy_request r JOIN verification v ON v.request_id = r.id WHERE r.id = ${id}`);
const makeDue = async (id: RequestId): Promise<void> => void (await sql`UPDATE verification SET wake_at = now() WHERE request_id = ${id} AND proof IS NOT NULL`.execute(world.database.read()));
const jobsOf = (id: RequestId): string[] => world.jobs.filter((each) => each.data['request_id'] === id).map((each) => each.name);
const entriesOf = (outside: string): string[] => world.entries.filter((each) => each.request_id === outside).map((each) => each.type);

it('a request with a proof is answered before anybody is asked, and the proof is sealed', async () => {
  const { id, answer } = await open();
  expect(answer).toMatchObject({ status: 'verifying', verification: { method: 'proof' } });
  expect(service.calls).toHaveLength(0);
  expect(jobsOf(id)).toEqual(['proof-ask']);
  const { rows } = await sql<{ text: string }>`SELECT v::text AS text FROM verification v UNION ALL SELECT i::text FROM intake_replay i UNION ALL SELECT r::text FROM privacy_request r`.execute(world.database.read());
  const kept = JSON.stringify([rows, world.entries, world.jobs, world.logged, answer]);
  expect(kept).not.toContain(right);
  expect(kept).not.toContain(Buffer.from(right).toString('hex'));
});

it('a match verifies the person and starts the work, once, and the proof is kept no longer', async () => {
  const { id, outside } = await open();
  await Promise.all([world.askAboutProof(id), world.askAboutProof(id)]);
  await world.askAboutProof(id);
  expect(await stored(id)).toMatchObject({ status: 'verified', verified_by: 'proof', proof: null });
  expect(jobsOf(id)).toEqual(['proof-ask', 'request-advance']);
  expect(service.calls).toHaveLength(1);
  expect(world.entries.find((each) => each.type === 'request.verified' && each.request_id === outside)).toMatchObject({ verification_method: 'proof' });
});

it('the service is told the proof, our id and what the person gave, and nothing else', async () => {
  const { id, outside } = await open('a-proof-of-nobody-that-anyone-knows', { subject_phone: undefined });
  await world.askAboutProof(id);
  const { questions } = service.dump() as { questions: unknown[] };
  expect(questions).toEqual([{ request_id: outside, identity_proof_hash: 'a-proof-of-nobody-that-anyone-knows', subject: { email: ada.email } }]);
});

it('no match counts as a failed proof, is recorded without the proof, and starts nothing', async () => {
  const { id, outside } = await open('a-proof-of-somebody-else-altogether');
  await world.askAboutProof(id);
  expect(await stored(id)).toMatchObject({ status: 'verifying', proof: null, attempts: 1 });
  expect(jobsOf(id)).toEqual(['proof-ask']);
  expect(world.entries.at(-1)).toMatchObject({ type: 'request.verification_failed', request_id: outside, verification_method: 'proof', reason_code: 'no_match', attempt: 1 });
  expect(JSON.stringify([world.entries, world.logged])).not.toMatch(/somebody-else|ada@/u);
});

it('a proof of one person does not verify a request that names another beside them', async () => {
  const { id } = await open(right, { subject_email: 'eve@example.com' });
  await world.askAboutProof(id);
  expect(await stored(id)).toMatchObject({ status: 'verifying', attempts: 1 });
});

it('another proof under the same request_id is another try, five in all; the answer is always the first', async () => {
  const request = await open('wrong-proof-number-1-of-very-many');
  await world.askAboutProof(request.id);
  for (let n = 2; n <= 7; n += 1) {
    const again = await request.give(`wrong-proof-number-${n}-of-very-many`);
    expect([again.statusCode, again.json()]).toEqual([200, request.answer]);
    await world.askAboutProof(request.id);
  }
  expect(service.calls).toHaveLength(5);
  expect(entriesOf(request.outside).filter((each) => each === 'request.verification_failed')).toHaveLength(5);
  expect((await request.give(right)).json()).toEqual(request.answer);
  await world.askAboutProof(request.id);
  expect(await stored(request.id)).toMatchObject({ status: 'verifying', attempts: 5 });
  expect(service.calls).toHaveLength(5);
});

it('a right proof after a wrong one verifies, and the same wrong one again is no other try', async () => {
  const wrong = 'a-proof-with-a-typing-mistake-in-it';
  const request = await open(wrong);
  await world.askAboutProof(request.id);
  await request.give(wrong);
  await world.askAboutProof(request.id);
  expect(service.calls).toHaveLength(1);
  await request.give(right);
  await world.askAboutProof(request.id);
  expect(await stored(request.id)).toMatchObject({ status: 'verified', verified_by: 'proof' });
});

it.each<[string, Fault]>([
  ['answers 500', { kind: 'status', status: 500 }],
  ['answers 503', { kind: 'status', status: 503, retryAfter: 1 }],
  ['refuses our token', { kind: 'status', status: 401 }],
  ['does not know the address', { kind: 'status', status: 404 }],
  ['redirects', { kind: 'status', status: 302 }],
  ['never answers', { kind: 'hang' }],
  ['answers too late', { kind: 'delay', delayMs: 700 }],
  ['breaks the connection after judging', { kind: 'lost' }],
  ['judges and answers 500', { kind: 'after', status: 500 }],
  ['answers with half a body', { kind: 'malformed' }],
  ['answers for another request', { kind: 'lie' }],
])('a service that %s has said nothing: it is asked again later under the same key, and then its answer counts once', async (_what, fault) => {
  const { id, outside } = await open();
  service.fault(fault);
  await world.askAboutProof(id);
  const after = await stored(id);
  expect(after).toMatchObject({ status: 'verifying', asked: 1, attempts: 0 });
  expect(after.proof).not.toBeNull();
  expect(jobsOf(id)).toEqual(['proof-ask', 'proof-ask']);
  expect(entriesOf(outside)).toEqual(['request.received']);
  await makeDue(id);
  await world.askAboutProof(id);
  expect(await stored(id)).toMatchObject({ status: 'verified', verified_by: 'proof' });
  expect(service.effects.filter((each) => each.object === outside)).toHaveLength(1);
  expect(world.logged.join('\n')).not.toMatch(/ada@|2025550143|proof-of-ada/u);
});

it.each([['a text for true', { match: 'true' }], ['a number', { match: 1 }], ['null', null], ['nothing of it', { ok: true }], ['a list', [true]], ['true alone', true]])(
  'an answer that says %s is no match and no failure',
  async (_what, answer) => {
    const { id } = await open();
    world.services.askProof = createProofService(
      { url: 'https://proof.example/check', token: '${env:PROOF_TOKEN}', timeout_seconds: 1 },
      { clock: world.clock, secrets: { environment: { PROOF_TOKEN: proofToken }, readFile: () => '' }, transport: async () => ({ status: 200, statusText: '', headers: [], body: new Blob([JSON.stringify(answer)]).stream() }) },
    );
    await world.askAboutProof(id);
    expect(await stored(id)).toMatchObject({ status: 'verifying', asked: 1, attempts: 0 });
  },
);

it('a service that asks to wait is not asked before', async () => {
  const { id } = await open();
  service.fault({ kind: 'status', status: 429, retryAfter: 120 });
  await world.askAboutProof(id);
  const { wait } = await stored(id);
  expect(wait).toBeGreaterThan(110);
  await world.askAboutProof(id);
  expect(service.calls).toHaveLength(1);
});

it('for a request that nobody verifies any more the service is not asked, and the proof is gone', async () => {
  const rejected = await open();
  const operator = { authorization: `Bearer ${apiKey}` };
  const vouched = await open();
  expect((await post(world, `/v1/privacy-requests/${vouched.outside}/verification`, { evidence: 'called_back' }, operator)).statusCode).toBe(200);
  await sql`UPDATE privacy_request SET status = 'rejected' WHERE id = ${rejected.id}`.execute(world.database.read());
  for (const { id } of [rejected, vouched]) {
    await world.askAboutProof(id);
    expect((await stored(id)).proof).toBeNull();
  }
  expect(service.calls).toHaveLength(0);
  expect(await stored(rejected.id)).toMatchObject({ status: 'rejected' });
});

it('a source whose proofs fail too often in an hour waits for the next, the right ones too; others do not', async () => {
  await sql`INSERT INTO failed_proof (source, since, count) VALUES ('proven', ${new Date(world.clock.now())}, 19)`.execute(world.database.read());
  const last = await open('the-twentieth-wrong-proof-this-hour');
  await world.askAboutProof(last.id);
  const held = await open();
  await world.askAboutProof(held.id);
  expect(service.calls).toHaveLength(1);
  const waiting = await stored(held.id);
  expect(waiting.proof).not.toBeNull();
  expect(waiting.wait).toBeGreaterThan(3500);
  const form = (await sendWebhook(world, { source: 'form' })).json<{ id: string }>().id;
  const formId = parseId('request', form);
  if (formId === undefined) throw new Error('no id');
  const code = (await world.database.transaction((tx) => world.verification.codeToSend(tx, formId, 1)))?.code;
  expect((await post(world, `/v1/privacy-requests/${form}/verification`, { code })).statusCode).toBe(200);
  world.clock.advance(3_600_001);
  await makeDue(held.id);
  await world.askAboutProof(held.id);
  expect(await stored(held.id)).toMatchObject({ status: 'verified' });
});

it('a code takes the place of no proof, and asking for another code sends none', async () => {
  const { id, outside } = await open();
  expect((await post(world, `/v1/privacy-requests/${outside}/verification`, { code: '00000000' })).statusCode).toBe(403);
  expect((await post(world, `/v1/privacy-requests/${outside}/verification`, { send_again: true })).statusCode).toBe(202);
  expect(jobsOf(id)).toEqual(['proof-ask']);
  expect(await stored(id)).toMatchObject({ status: 'verifying' });
});

it.each([['http://proof.example/check'], ['ftp://proof.example/check']])('a service at %s is refused at the start', (url) => {
  expect(() => serviceAt(url)).toThrow(/CONFIG_INVALID: \/identity\/proof_service\/url must be https/u);
});
