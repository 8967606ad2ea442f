import { startSimulator, type Simulator, type VendorDefinition } from '../simulator.ts';

/** A person whom the verification service knows, and the hash that proves them. */
export interface ProofPerson {
  readonly identity_proof_hash: string;
  /** As the service knows them: an e-mail address in lower case, a phone number in E.164. */
  readonly email?: string;
  readonly phone?: string;
}

/** What can be planted. */
export interface ProofSeed {
  readonly token?: string;
  readonly people?: readonly ProofPerson[];
  /** Questions a second; more are answered 429. */
  readonly per_second?: number;
}

/** The token that the service starts with. */
export const proofToken = 'proof-service-token';

interface Question {
  readonly request_id?: unknown;
  readonly identity_proof_hash?: unknown;
  readonly subject?: { readonly email?: unknown; readonly phone?: unknown };
}

/** Whether the proof belongs to a person who has all that was given; somebody unknown and a wrong proof are one answer. */
function matches(people: readonly ProofPerson[], question: Question): boolean {
  const { email, phone } = question.subject ?? {};
  if (email === undefined && phone === undefined) return false;
  return people.some(
    (each) =>
      each.identity_proof_hash === question.identity_proof_hash && (email === undefined || each.email === email) && (phone === undefined || each.phone === phone),
  );
}

/**
 * Promises a verification service as docs/guides/verification.md describes it: `POST /check` behind a bearer token, answers by idempotency
 * key, a limit. A `lie` fault answers for another request, as a cache between would. Each call gives another service.
 */
export function proofDefinition(): VendorDefinition {
  let people: ProofPerson[] = [];
  let token = proofToken;
  let perSecond = 1000;
  const window = { second: 0, count: 0 };
  /** Answers by idempotency key, with the question that they were given to. */
  const given = new Map<string, { readonly question: string; readonly answer: unknown }>();
  const reset = (): void => {
    people = [];
    token = proofToken;
    perSecond = 1000;
    given.clear();
  };
  return {
    vendor: 'proof',
    routes: ({ app, now, effect, lies }) => {
      app.post<{ Body: Question | undefined }>('/check', (request, reply) => {
        if (request.headers.authorization !== `Bearer ${token}`) return reply.code(401).send({ error: 'unauthorized' });
        const second = Math.floor(now() / 1000);
        window.count = window.second === second ? window.count + 1 : 1;
        window.second = second;
        if (window.count > perSecond) return reply.code(429).header('retry-after', '1').send({ error: 'slow_down' });
        const { body } = request;
        if (typeof body?.request_id !== 'string' || typeof body.identity_proof_hash !== 'string') return reply.code(400).send({ error: 'invalid' });
        const key = String(request.headers['idempotency-key'] ?? '');
        const question = JSON.stringify(body);
        const before = given.get(key);
        if (before !== undefined && before.question !== question) return reply.code(422).send({ error: 'idempotency_key_reused' });
        if (lies(request)) return reply.send({ request_id: 'req_of_somebody_else', match: true });
        const answer = before?.answer ?? { request_id: body.request_id, match: matches(people, body) };
        if (key !== '' && before === undefined) {
          given.set(key, { question, answer });
          effect('proof.judged', body.request_id);
        }
        return reply.send(answer);
      });
    },
    seed: (data) => {
      const seed = data as ProofSeed;
      people.push(...(seed.people ?? []));
      token = seed.token ?? token;
      perSecond = seed.per_second ?? perSecond;
      return { people: people.length };
    },
    dump: () => ({ people, questions: [...given.values()].map((each) => JSON.parse(each.question) as unknown) }),
    errorBody: (status) => ({ error: `status_${status}` }),
    reset,
  };
}

/** Starts the verification service on a loopback port, any free one unless named. */
export async function startProofService(options: { port?: number } = {}): Promise<Simulator> {
  return startSimulator(proofDefinition(), options);
}
