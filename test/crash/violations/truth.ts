import { commitIdentifier } from '../../../src/verify/index.ts';
import type { Person } from '../people.ts';
import { nameRequest, nameTask, type Evidence, type RequestRow, type TaskRow } from './evidence.ts';
import { findableOf, heldOf, type HeldThing } from './vendors.ts';

interface Named {
  readonly kind: string;
  readonly value: string;
}

/** Outcomes that say that nothing of the person is there any more, under what the task is about. */
const gone: readonly string[] = ['erased', 'anonymised', 'already_absent', 'nothing_matched'];
/** Verdicts that say that nothing is left but what a law or a vendor's term keeps. */
const complete: readonly string[] = ['fulfilled', 'fulfilled_with_retention', 'nothing_held'];

/** No outcome, no count and no verdict is better than what the simulators know to be true. */
export function truthViolations(evidence: Evidence): readonly string[] {
  return evidence.world.people.flatMap((person) => {
    const requests = evidence.requestsOf(person);
    const names = findableOf(person, evidence.systems);
    const held = heldOf(person, evidence.vendors).filter((each) => evidence.systems.includes(each.system) && each.under.some(({ value }) => names.has(value)));
    const tasks = requests.flatMap((request) => evidence.tasks.filter((each) => each.request_id === request.id).map((task) => ({ task, request })));
    return [
      ...tasks.flatMap(({ task, request }) => outcomeViolations(evidence, person, request, task, held)),
      ...unnamedViolations(tasks.map(({ task }) => task), held),
      ...requests.flatMap((request) => verdictViolations(evidence, person, request, held)),
      ...countViolations(evidence, person, tasks.map(({ task }) => task), held),
    ];
  });
}

const saysGone = (task: TaskRow): boolean => task.status === 'settled' && gone.includes(task.outcome ?? '') && task.confirmation !== 'unconfirmed';

function outcomeViolations(evidence: Evidence, person: Person, request: RequestRow, task: TaskRow, held: readonly HeldThing[]): readonly string[] {
  // Where the system could not be asked, the task merely names the first identifier that is known.
  if (task.decision === 'not_applicable') return [];
  const nonce = nonceOf(evidence, request);
  if (nonce === undefined || task.identifier_kind === 'twilio_profile') return [];
  const about = identifiersOf(person).find(({ kind, value }) => commitIdentifier(nonce, kind, value) === task.commitment);
  if (about === undefined) return [`${nameTask(task)} of ${nameRequest(request.id)} is about an identifier that is not the person's`];
  if (!saysGone(task)) return [];
  const left = held.filter((each) => each.system === task.connection && each.under.some(({ kind, value }) => kind === about.kind && value.toLowerCase() === about.value.toLowerCase()));
  if (left.length > 0) return [`${nameTask(task)} of ${nameRequest(request.id)} is ${String(task.outcome)}, ${String(task.confirmation)}, and the vendor holds ${list(left)} under its ${about.kind}`];
  if (task.outcome === 'erased' && !wasTouched(evidence, task, about)) return [`${nameTask(task)} of ${nameRequest(request.id)} is erased, and nothing was ever done there`];
  return [];
}

/** Whether the vendor ever did anything that an `erased` could stand for. Twilio's objects are counted instead: their ids are its own. */
function wasTouched(evidence: Evidence, task: TaskRow, about: Named): boolean {
  if (about.kind === 'stripe_customer') return evidence.vendors.effects.stripe.some((each) => each.type === 'customer.deleted' && each.object === about.value);
  if (about.kind === 'user_id' && task.connection === 'segment') return evidence.vendors.segment.regulations.some((each) => each.subjects.includes(about.value));
  return true;
}

/** The key by which the person can show that a certificate is about them stands in the message to them; so the rules can use it too. */
function nonceOf(evidence: Evidence, request: RequestRow): Buffer | undefined {
  const mail = evidence.world.mails.find((each) => each.text.includes(`Reference: ${request.reference}`) && /^ {2}key: {2}[0-9a-f]{64}$/mu.test(each.text));
  const hex = /^ {2}key: {2}([0-9a-f]{64})$/mu.exec(mail?.text ?? '')?.[1];
  return hex === undefined ? undefined : Buffer.from(hex, 'hex');
}

function identifiersOf(person: Person): readonly Named[] {
  const all = (kind: string, values: readonly string[]): Named[] => values.map((value) => ({ kind, value }));
  return [
    ...all('email', person.emails),
    ...all('phone', [person.phone]),
    ...all('stripe_customer', person.customers),
    ...all('user_id', person.userIds),
    ...all('anonymous_id', person.anonymousIds),
  ];
}

/** Even where no task can be told from another of its kind: of what is left there are at most as many as there are tasks that do not say gone. */
function unnamedViolations(tasks: readonly TaskRow[], held: readonly HeldThing[]): readonly string[] {
  return (
    [
      ['stripe', 'stripe_customer', 'customer'],
      ['twilio', 'twilio_profile', 'memory_profile'],
      ['segment', 'user_id', 'profile'],
    ] as const
  ).flatMap(([system, kind, what]) => {
    const own = tasks.filter((each) => each.connection === system && each.identifier_kind === kind && each.decision !== 'not_applicable');
    // Where every task was left out by a person, nothing is claimed of what nobody looked for.
    if (!own.some(saysGone)) return [];
    const left = held.filter((each) => each.system === system && each.what === what && each.under.some((name) => name.kind === kind));
    const others = own.filter((each) => !saysGone(each));
    return left.length > others.length ? [`${own.map(nameTask).join(', ')}: ${left.length} of ${what} are left, and only ${others.length} tasks do not say gone`] : [];
  });
}

function verdictViolations(evidence: Evidence, person: Person, request: RequestRow, held: readonly HeldThing[]): readonly string[] {
  if (request.status !== 'closed' || request.verdict === null || !complete.includes(request.verdict)) return [];
  const missing = evidence.systems.filter((system) => !evidence.tasks.some((each) => each.request_id === request.id && each.connection === system));
  if (missing.length > 0) return [`${nameRequest(request.id)} is ${request.verdict}, and ${missing.join(', ')} was passed over in silence`];
  const found = held.length === 0 ? [] : [`${nameRequest(request.id)} is ${request.verdict}, and there are ${list(held)} left`];
  const { charges, subscriptions } = evidence.vendors.stripe;
  const kept = [...charges, ...subscriptions].filter((each) => person.customers.includes(each.customer ?? ''));
  if (request.verdict === 'fulfilled' && kept.length > 0) found.push(`${nameRequest(request.id)} is fulfilled without retention, and Stripe keeps ${kept.map((each) => each.id).join(', ')}`);
  return found;
}

/** What is said to have been deleted, in number, is at most what was planted and is there no more. */
function countViolations(evidence: Evidence, person: Person, tasks: readonly TaskRow[], held: readonly HeldThing[]): readonly string[] {
  const { holds } = person;
  const planted = { customer: holds.customers.length, message: holds.messages.length, call: holds.calls.length, recording: holds.calls.flatMap((each) => each.recordings ?? []).length };
  const said = { customer: ['stripe', 'customers'], message: ['twilio', 'message'], call: ['twilio', 'call'], recording: ['twilio', 'recording'] } as const;
  return (Object.keys(planted) as (keyof typeof planted)[]).flatMap((what) => {
    const [system, key] = said[what];
    const own = tasks.filter((each) => each.connection === system && each.status === 'settled');
    const claimed = own.reduce((sum, each) => sum + (each.counts[key] ?? 0), 0);
    const left = held.filter((each) => each.what === what).length;
    if (claimed <= planted[what] - left) return [];
    return [`${own.map(nameTask).join(', ')}: ${claimed} of ${what} are said to be deleted; ${planted[what]} there were, ${left} are left${evidence.requestsOf(person).length > 1 ? ', over several requests' : ''}`];
  });
}

function list(held: readonly HeldThing[]): string {
  const counts = new Map<string, number>();
  for (const each of held) counts.set(`${each.system} ${each.what}`, (counts.get(`${each.system} ${each.what}`) ?? 0) + 1);
  return [...counts].map(([what, count]) => `${count} ${what}`).join(', ');
}
