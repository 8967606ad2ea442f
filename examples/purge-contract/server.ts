import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pathToFileURL } from 'node:url';

/**
 * A service that implements the purge contract, in one file and with nothing but Node: replace `people` with your own storage.
 * What matters is marked with numbers; docs/guides/purge-contracts.md explains each.
 */
export interface ServiceOptions {
  /** What callers send as `Authorization: Bearer …`. */
  readonly token: string;
  /** Where to tell that a job is over, and the secret to sign it with; told to nobody when absent. */
  readonly callback?: { readonly url: string; readonly secret: string };
  /** How long a job takes, in milliseconds: as if it were long. */
  readonly jobMs?: number;
}

interface Person {
  readonly id: string;
  readonly email: string;
  readonly external_id: string;
  readonly cases: number;
  readonly notes: number;
}

interface Job {
  readonly job_id: string;
  status: 'queued' | 'completed';
  deleted?: { readonly contacts: number; readonly cases: number; readonly notes: number };
}

class Refusal extends Error {
  readonly status: number;

  constructor(status: number, code: string) {
    super(code);
    this.status = status;
  }
}

/** Makes the service; `people` is what it holds, and what erasures take away. */
export function createService(options: ServiceOptions, people: Map<string, Person>): Server {
  const jobs = new Map<string, Job>();
  const keys = new Map<string, { readonly job: Job; readonly body: string }>();
  const held = (subject: { kind: string; value: string }): Person[] =>
    [...people.values()].filter((each) => (subject.kind === 'email' ? each.email.toLowerCase() === subject.value.toLowerCase() : subject.kind === 'external_id' && each.external_id === subject.value));

  const finish = async (job: Job, subject: { kind: string; value: string }): Promise<void> => {
    const gone = held(subject);
    for (const each of gone) people.delete(each.id);
    // (5) Say how much was deleted. "Completed" without a count is only a word.
    job.deleted = { contacts: gone.length, cases: gone.reduce((sum, each) => sum + each.cases, 0), notes: gone.reduce((sum, each) => sum + each.notes, 0) };
    job.status = 'completed';
    if (options.callback === undefined) return;
    // (6) A callback is signed over timestamp, full stop and body. It may be lost: whoever gets it asks for the job all the same.
    const body = JSON.stringify({ job_id: job.job_id, event: 'erasure.completed' });
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = createHmac('sha256', options.callback.secret).update(`${timestamp}.${body}`).digest('hex');
    const headers = { 'content-type': 'application/json', 'x-timestamp': timestamp, 'x-signature': signature };
    const taken = await fetch(options.callback.url, { method: 'POST', headers, body }).then(({ ok }) => ok, () => false);
    console.log(taken ? 'the callback was taken' : 'the callback was not taken; the job will be polled');
  };

  const erase = (request: IncomingMessage, text: string): [number, unknown] => {
    const key = request.headers['idempotency-key'];
    if (typeof key !== 'string') throw new Refusal(400, 'idempotency_key_missing');
    // (2) The same key is the same erasure, however often it is sent: answer with its job as it stands, never with another one.
    const before = keys.get(key);
    if (before !== undefined && before.body !== text) throw new Refusal(422, 'idempotency_key_reused');
    if (before !== undefined) return [409, before.job];
    const { subject } = read(text);
    // (3) Somebody unknown is 404 with a code, so that a wrong address of the service does not look like it.
    if (held(subject).length === 0) throw new Refusal(404, 'not_found');
    const job: Job = { job_id: randomUUID(), status: 'queued' };
    jobs.set(job.job_id, job);
    keys.set(key, { job, body: text });
    setTimeout(() => void finish(job, subject), options.jobMs ?? 2000);
    return [202, { ...job, retry_after: 1 }];
  };

  const route = (request: IncomingMessage, text: string): [number, unknown] => {
    // (1) Nobody gets in without the token, whatever is asked.
    if (!isSame(request.headers.authorization ?? '', `Bearer ${options.token}`)) throw new Refusal(401, 'unauthorized');
    const call = `${request.method} ${request.url}`;
    if (call === 'POST /subjects/search') return [200, { subjects: held(read(text).subject).map(({ id, email, external_id }) => ({ id, email, external_id })) }];
    if (call === 'POST /records/search') return [200, { records: held(read(text).subject) }];
    if (call === 'POST /erasures') return erase(request, text);
    const job = jobs.get(/^GET \/erasures\/([\w-]+)$/u.exec(call)?.[1] ?? '');
    // (4) An unknown job is 404 with a code as well: it is neither running nor finished.
    if (job === undefined) throw new Refusal(404, 'not_found');
    return [200, job];
  };

  const answer = async (request: IncomingMessage, reply: ServerResponse): Promise<void> => {
    const send = (status: number, body: unknown): void => void reply.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    try {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      send(...route(request, Buffer.concat(parts).toString('utf8')));
    } catch (error) {
      send(error instanceof Refusal ? error.status : 500, { code: error instanceof Refusal ? error.message : 'internal' });
    }
  };
  return createServer((request, reply) => void answer(request, reply));
}

function read(text: string): { subject: { kind: string; value: string } } {
  let body: { subject?: { kind?: unknown; value?: unknown } };
  try {
    body = JSON.parse(text) as typeof body;
  } catch {
    throw new Refusal(400, 'bad_request');
  }
  const { kind, value } = body.subject ?? {};
  if (typeof kind !== 'string' || typeof value !== 'string') throw new Refusal(400, 'bad_request');
  return { subject: { kind, value } };
}

/** Compares in a time that tells nothing. */
function isSame(one: string, other: string): boolean {
  const [left, right] = [one, other].map((each) => createHmac('sha256', 'compare').update(each).digest()) as [Buffer, Buffer];
  return timingSafeEqual(left, right);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { PURGE_TOKEN: token, PURGE_CALLBACK_URL: url, PURGE_CALLBACK_SECRET: secret } = process.env;
  if (token === undefined) throw new Error('Set PURGE_TOKEN to what Quittance sends');
  if (url !== undefined && secret === undefined) throw new Error('Set PURGE_CALLBACK_SECRET to what Quittance checks callbacks with');
  const people = new Map([['1', { id: '1', email: 'ada@example.com', external_id: 'ADA-4711', cases: 2, notes: 3 }]]);
  const callback = url === undefined || secret === undefined ? {} : { callback: { url, secret } };
  createService({ token, ...callback }, people).listen(4200, '127.0.0.1', () => console.log('http://127.0.0.1:4200 holds ada@example.com'));
}
