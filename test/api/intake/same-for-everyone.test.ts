import { PostgresQueryCompiler, type KyselyPlugin } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseId } from '../../../src/contract/ids.ts';
import { createMapping, createSuppressionLedger } from '../../../src/modules/identity/index.ts';
import { tablesOf, type Database, type Tx } from '../../../src/platform/db/database.ts';
import { openEmbedded } from '../../../src/platform/db/embedded.ts';
import { openIntakeWorld, post, sendWebhook, type IntakeWorld } from './intake-world.ts';

// Whoever may send requests, or has a link to one, must not learn from the answers who is a customer. Nothing on the way to an answer looks
// anybody up: so the answers, and the statements behind them, are compared for a person whom everything here knows and one whom nothing does.

const known = { email: 'known.customer@example.com', phone: '+12025550143' };
const unknown = { email: 'nobody.at.all@example.com', phone: '+12025550199' };
const sources = ['shop', 'form', 'texts', 'proven'] as const;

let world: IntakeWorld;
const statements: string[] = [];

/** Notes the text of every statement, without its values. */
const noting: KyselyPlugin = {
  transformQuery: ({ node, queryId }) => {
    statements.push(new PostgresQueryCompiler().compileQuery(node, queryId).sql);
    return node;
  },
  transformResult: async ({ result }) => result,
};

function noted(database: Database): Database {
  return {
    ...database,
    read: <Tables>() => database.read<Tables>().withPlugin(noting),
    transaction: (work) => database.transaction((tx) => work(tablesOf<unknown>(tx).withPlugin(noting) as unknown as Tx)),
  };
}

beforeAll(async () => {
  world = await openIntakeWorld(async () => noted(await openEmbedded()));
  const { database, systemKeys, clock } = world;
  const mapping = createMapping({ database, systemKeys, defaultCountry: 'US' });
  await mapping.importCsv([`email,phone,stripe_customer\n${known.email},${known.phone},cus_known0001\n`]);
  const suppression = createSuppressionLedger({ database, systemKeys, clock });
  await database.transaction((tx) => suppression.add(tx, [{ kind: 'email', value: known.email }]));
  // Open requests of theirs too: one verified, one that waits.
  for (const source of ['shop', 'form']) await sendWebhook(world, { source, body: JSON.stringify({ email: known.email, phone: known.phone }) });
});
afterAll(() => world.close());

let sent = 0;
interface Sent {
  readonly status: number;
  readonly body: string;
  readonly id: string;
  readonly statements: readonly string[];
}

async function send(source: string, person: typeof known): Promise<Sent> {
  sent += 1;
  statements.length = 0;
  const body = { request_id: `case-${String(sent).padStart(6, '0')}`, subject_email: person.email, subject_phone: person.phone, identity_proof_hash: `proof-of-somebody-${String(sent).padStart(6, '0')}` };
  const answer = await sendWebhook(world, { source, body: JSON.stringify(body) });
  return { status: answer.statusCode, body: answer.body, id: answer.json<{ id: string }>().id, statements: [...statements] };
}

/** What differs for everybody: the ids, the reference. The clock stands still here. */
const bare = (body: string): string => body.replaceAll(/req_[0-9a-z]{26}/gu, 'req').replaceAll(/Q(-[0-9A-Z]{4})+/gu, 'Q');
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

describe.each(sources)('a request of a known and of an unknown person, from the source %s', (source) => {
  it('is answered in the same words, by the same statements', async () => {
    const [one, two] = [await send(source, known), await send(source, unknown)];
    expect(one.status).toBe(202);
    expect([two.status, bare(two.body)]).toEqual([one.status, bare(one.body)]);
    expect(one.statements.length).toBeGreaterThan(5);
    expect(two.statements).toEqual(one.statements);
  });
});

it('takes as long for the one as for the other', async () => {
  const took = { known: [] as number[], unknown: [] as number[] };
  for (let n = 0; n < 40; n += 1) {
    // In turns, and each first as often, so that whatever else the machine does falls on both.
    for (const who of n % 2 === 0 ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const)) {
      const start = performance.now();
      await send('proven', who === 'known' ? known : unknown);
      took[who].push(performance.now() - start);
    }
  }
  const ratio = median(took.known) / median(took.unknown);
  // What a look-up over the vendors would add is a hundred times more; the statements are compared above.
  expect(ratio).toBeGreaterThan(1 / 3);
  expect(ratio).toBeLessThan(3);
});

it('a proof that fails is the same for both: no answer tells, and the same is recorded', async () => {
  world.services.askProof = async () => 'no_match';
  const seen = [];
  for (const person of [known, unknown]) {
    const first = await send('proven', person);
    const id = parseId('request', first.id);
    if (id === undefined) throw new Error('no id');
    statements.length = 0;
    await world.askAboutProof(id);
    const asked = [...statements];
    const link = `/v1/privacy-requests/${first.id}/verification`;
    const code = await post(world, link, { code: '00000000' });
    const again = await post(world, link, { send_again: true });
    const entries = world.entries.filter((each) => each.request_id === first.id).map(({ request_id: _id, ...rest }) => rest);
    seen.push({ asked, code: [code.statusCode, code.body], again: [again.statusCode, again.body], entries });
  }
  expect(seen[1]).toEqual(seen[0]);
  expect(seen[0]?.entries.at(-1)).toMatchObject({ type: 'request.verification_failed', reason_code: 'no_match' });
});

it('a wrong code is the same for both', async () => {
  const seen = [];
  for (const person of [known, unknown]) {
    const { id } = await send('form', person);
    statements.length = 0;
    const answer = await post(world, `/v1/privacy-requests/${id}/verification`, { code: 'not one' });
    seen.push([answer.statusCode, answer.body, [...statements]]);
  }
  expect(seen[0]?.[0]).toBe(403);
  expect(seen[1]).toEqual(seen[0]);
});
