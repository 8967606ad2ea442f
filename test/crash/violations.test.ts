import { beforeAll, describe, expect, test } from 'vitest';
import { bystanders, makePeople } from './people.ts';
import { createSeededRandom } from './seeded-random.ts';
import { drawChaos } from './simulation/chaos.ts';
import { openWorld } from './simulation/world.ts';
import { findViolations, type World } from './violations.ts';
import { bystanderViolations } from './violations/bystanders.ts';
import { effectViolations } from './violations/effects.ts';
import { nameRequest, readEvidence, type Evidence } from './violations/evidence.ts';
import { logViolations } from './violations/log.ts';
import { mailViolations } from './violations/mails.ts';
import { requestViolations } from './violations/requests.ts';
import { traceViolations } from './violations/traces.ts';
import { truthViolations } from './violations/truth.ts';
import { wakeViolations } from './violations/wakes.ts';

let world: World;
let evidence: Evidence;

/** A round in which nothing goes wrong, and all three systems are connected. */
async function playQuietly(): Promise<World> {
  for (let round = 4; ; round += 1) {
    const random = createSeededRandom(`quiet ${round}`);
    const quiet = await openWorld(random, drawChaos(random.fork('chaos')));
    quiet.calm();
    const people = makePeople(random.fork('people'), 8);
    quiet.plant(people);
    quiet.begin();
    for (const person of people) quiet.ask(person, 10);
    await quiet.pass(60_000);
    await quiet.rest(20 * 86_400_000);
    await quiet.end();
    const played = quiet.evidence();
    if ((await readEvidence(played)).systems.length === 3) return played;
  }
}

beforeAll(async () => {
  world = await playQuietly();
  evidence = await readEvidence(world);
}, 400_000);

/** A task that says that something was erased at a system, of somebody who was told so by mail and of whom nothing is left anywhere. */
function erasedAt(system: string): Evidence['tasks'][number] {
  const isTold = (id: string): boolean => {
    const request = evidence.requests.find((each) => each.id === id);
    return request?.verdict === 'fulfilled_with_retention' && world.mails.some((each) => each.text.includes('  key:  ') && each.text.includes(request.reference));
  };
  const task = evidence.tasks.find((each) => each.connection === system && each.outcome === 'erased' && each.identifier_kind !== 'twilio_profile' && isTold(each.request_id));
  if (task === undefined) throw new Error(`Nothing was erased at ${system} in the quiet round`);
  return task;
}

const ownerOf = (task: Evidence['tasks'][number]) => {
  const owner = world.people.find((person) => evidence.requestsOf(person).some((each) => each.id === task.request_id));
  if (owner === undefined) throw new Error('The task is of nobody');
  return owner;
};

const withTask = (task: Evidence['tasks'][number], change: Partial<Evidence['tasks'][number]>): Evidence => ({
  ...evidence,
  tasks: evidence.tasks.map((each) => (each.id === task.id ? { ...each, ...change } : each)),
});
const withVendors = (change: Partial<Evidence['vendors']>): Evidence => ({ ...evidence, vendors: { ...evidence.vendors, ...change } });

describe('the rules of a round', () => {
  test('find nothing in a round in which nothing went wrong', async () => {
    expect(await findViolations(world)).toEqual([]);
    expect(evidence.requests.length).toBeGreaterThanOrEqual(8);
  });

  test('find a request that was answered with 2xx and is not there', () => {
    const [first] = world.accepted;
    const id = nameRequest('00000000-0000-7000-8000-000000000000');
    expect(first).toBeDefined();
    expect(requestViolations({ ...evidence, world: { ...world, accepted: [...world.accepted, { ...first!, id }] } })).toEqual([`${id} was answered with 2xx and is not there`]);
  });

  test('find a request that waits for nobody, a key that lives, and a certificate of another verdict', () => {
    const closed = evidence.requests.find((each) => each.status === 'closed');
    const change = (part: Partial<Evidence['requests'][number]>): readonly string[] => requestViolations({ ...evidence, requests: evidence.requests.map((each) => (each === closed ? { ...each, ...part } : each)) });
    expect(change({ status: 'executing' })).toEqual([expect.stringContaining('is executing at the end, and waits for nobody')]);
    expect(change({ is_destroyed: false })).toEqual([expect.stringContaining('its data key lives')]);
    expect(change({ verdict: 'fulfilled' })).toEqual([expect.stringContaining('and its certificate says')]);
    expect(change({ certificate: null })).toEqual([expect.stringContaining('has no certificate')]);
  });

  test('find an effect that happened twice, and a second regulation of one person', () => {
    const { effects, segment } = evidence.vendors;
    const deletion = effects.twilio.find((each) => each.type === 'message.deleted');
    expect(effectViolations(withVendors({ effects: { ...effects, twilio: [...effects.twilio, deletion!] } }))).toEqual([expect.stringContaining('happened 2 times, 1 allowed')]);
    const again = { id: 'reg_again', subjects: ownerOf(erasedAt('segment')).userIds.slice(0, 1) };
    expect(effectViolations(withVendors({ segment: { ...segment, regulations: [...segment.regulations, again] } }))).toEqual([expect.stringContaining('reg_again for one subject')]);
    expect(effectViolations({ ...withVendors({ segment: { ...segment, regulations: [...segment.regulations, again] } }), world: { ...world, networkRepeats: 1 } })).toEqual([]);
  });

  test('find what was done to somebody before any task had begun', () => {
    const owner = ownerOf(erasedAt('stripe'));
    const ids = new Set(evidence.requestsOf(owner).map((each) => each.id));
    const outbox = evidence.outbox.filter((each) => !(each.entry.type === 'task.started' && ids.has(each.request_id ?? '')));
    expect(effectViolations({ ...evidence, outbox })).toContainEqual(expect.stringContaining('no task had begun'));
  });

  test('find a change to somebody who never asked', () => {
    const { twilio } = evidence.vendors;
    const messages = twilio.messages.filter((each) => each.to !== bystanders[0]?.phone);
    expect(messages.length).toBeLessThan(twilio.messages.length);
    expect(bystanderViolations(withVendors({ twilio: { ...twilio, messages } }))).toEqual(['Mona Bystander0 never asked, and their messages changed']);
  });

  test('find an outcome, a verdict and a count that are better than what the vendors hold', () => {
    const task = erasedAt('stripe');
    const owner = ownerOf(task);
    const { stripe } = evidence.vendors;
    const back = withVendors({ stripe: { ...stripe, customers: [...stripe.customers, ...owner.customers.map((id) => ({ id, email: owner.email }))] } });
    const found = truthViolations(back);
    expect(found).toContainEqual(expect.stringMatching(/is erased, verified_absent, and the vendor holds 1 stripe customer under its stripe_customer/u));
    expect(found).toContainEqual(expect.stringContaining('stripe customer left'));
    expect(truthViolations(withTask(task, { counts: { customers: 70 } }))).toEqual([expect.stringContaining('of customer are said to be deleted')]);
  });

  test('find a task about somebody else’s identifier', () => {
    const task = erasedAt('twilio');
    const other = evidence.tasks.find((each) => each.connection === 'twilio' && each.request_id !== task.request_id);
    expect(truthViolations(withTask(task, { commitment: other?.commitment ?? '' }))).toEqual([expect.stringContaining("is about an identifier that is not the person's")]);
  });

  test('find what is held by nobody, what nothing wakes, and a person who has what is over', () => {
    const task = erasedAt('twilio');
    expect(wakeViolations(withTask(task, { is_leased: true }))).toEqual([expect.stringContaining('is settled and held')]);
    expect(wakeViolations(withTask(task, { has_place: true }))).toEqual([expect.stringContaining('has a place of its connection')]);
    expect(wakeViolations(withTask(task, { status: 'running' }))).toEqual([expect.stringContaining('nothing wakes it'), expect.stringContaining('never came to rest')]);
    expect(wakeViolations(withTask(task, { status: 'manual' }))).toEqual([expect.stringContaining('0 people have it')]);
  });

  test('find an entry that the log lacks, one that nothing recorded, one too many, and one that says something else', async () => {
    const settled = evidence.outbox.findIndex((each) => each.entry.type === 'task.settled' && each.entry.outcome === 'nothing_matched');
    expect(await logViolations({ ...evidence, outbox: evidence.outbox.toSpliced(settled, 1) })).toEqual([
      expect.stringContaining('tells of an event that nothing recorded'),
      expect.stringContaining('the log tells of 0 endings'),
      expect.stringContaining('the log says undefined'),
    ]);
    expect(await logViolations({ ...evidence, log: evidence.log.slice(0, -1) })).toContainEqual(expect.stringContaining('does not verify'));
    const undelivered = evidence.outbox.map((each, index) => (index === settled ? { ...each, delivered_at: null } : each));
    expect(await logViolations({ ...evidence, outbox: undelivered })).toEqual([expect.stringContaining('was never delivered to the log')]);
    expect(await logViolations(withTask(erasedAt('twilio'), { outcome: 'already_absent' }))).toEqual([expect.stringContaining('is already_absent and the log says erased')]);
  });

  test('find a message that never came, one too many, and one that went to somebody else', () => {
    const closing = world.mails.find((each) => each.to !== 'dpo@example.com');
    const other = world.people.find((each) => each.email !== closing?.to);
    expect(mailViolations({ ...evidence, world: { ...world, mails: world.mails.filter((each) => each !== closing) } })).toEqual([expect.stringContaining('was never delivered')]);
    expect(mailViolations({ ...evidence, world: { ...world, mails: [...world.mails, closing!] } })).toEqual([expect.stringContaining('was delivered 2 times in 1 tries')]);
    const astray = world.mails.map((each) => (each === closing ? { ...each, to: other?.email ?? '' } : each));
    expect(mailViolations({ ...evidence, world: { ...world, mails: astray } })).toContainEqual(expect.stringContaining('went to somebody else'));
  });

  test('find what a person is known by in a table', async () => {
    expect(await traceViolations(evidence)).toEqual([]);
    const marked = { ...world, people: [{ ...world.people[0]!, name: evidence.requests[0]?.reference ?? '' }] };
    expect(await traceViolations({ ...evidence, world: marked })).toContainEqual(expect.stringContaining('of people stand in plain in public.privacy_request'));
  });
});
