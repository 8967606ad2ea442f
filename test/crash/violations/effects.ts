import type { Person } from '../people.ts';
import type { Evidence } from './evidence.ts';

/** What may happen to one object again, since a person had the task tried again. */
const repeatable: readonly string[] = ['customer.updated'];
/** What an erasure never does. */
const foreign: readonly string[] = ['customer.created', 'profile.created', 'profile.merged', 'profile.updated', 'suppression.removed', 'payment_intent.canceled', 'invoice.voided'];

/** One effect for each task: nothing is done to an object twice, nothing that an erasure does not do, and nothing before its recorded start. */
export function effectViolations(evidence: Evidence): readonly string[] {
  const found: string[] = [];
  const owners = new Map(evidence.world.people.flatMap((person) => person.customers.map((id) => [id, person] as const)));
  for (const [vendor, effects] of Object.entries(evidence.vendors.effects)) {
    const counts = new Map<string, number>();
    for (const { type, object } of effects) {
      counts.set(`${type} ${object}`, (counts.get(`${type} ${object}`) ?? 0) + 1);
      if (foreign.includes(type)) found.push(`${vendor}: ${type} ${object}, which no erasure does`);
    }
    for (const [what, count] of counts) {
      const [type = '', object = ''] = what.split(' ');
      const owner = owners.get(object);
      const allowed = repeatable.includes(type) && owner !== undefined ? 1 + repeatsOf(evidence, owner, vendor) : 1;
      if (count > allowed) found.push(`${vendor}: ${what} happened ${count} times, ${allowed} allowed${asked(evidence, owner)}`);
    }
  }
  return [...found, ...regulationViolations(evidence), ...unannounced(evidence)];
}

/** How often people had a task of somebody in one system tried again, and how many requests of theirs there were beyond the first. */
function repeatsOf(evidence: Evidence, person: Person, system: string): number {
  const requests = new Set(evidence.requestsOf(person).map((each) => each.id));
  const tasks = new Set(evidence.tasks.filter((each) => requests.has(each.request_id) && each.connection === system).map((each) => each.id));
  const retries = evidence.manual.filter((each) => each.task_id !== null && tasks.has(each.task_id) && each.settled_how === 'retry').length;
  return retries + Math.max(0, requests.size - 1);
}

const asked = (evidence: Evidence, person: Person | undefined): string =>
  person === undefined ? '' : ` (${evidence.requestsOf(person).map((each) => each.reference).join(', ')})`;

/** Segment has no idempotency: each regulation beyond the first of a subject is an effect too many, unless a person asked for it. */
function regulationViolations(evidence: Evidence): readonly string[] {
  const found: string[] = [];
  let left = evidence.world.networkRepeats ?? 0;
  const bySubject = new Map<string, string[]>();
  for (const { id, subjects } of evidence.vendors.segment.regulations) for (const subject of subjects) bySubject.set(subject, [...(bySubject.get(subject) ?? []), id]);
  for (const [subject, regulations] of bySubject) {
    const owner = evidence.world.people.find((each) => each.userIds.includes(subject));
    if (owner === undefined) {
      found.push(`segment: ${regulations.join(', ')} for a subject that is nobody's who asked`);
      continue;
    }
    const extra = regulations.length - 1 - repeatsOf(evidence, owner, 'segment');
    if (extra > left) found.push(`segment: ${regulations.join(', ')} for one subject${asked(evidence, owner)}`);
    left -= Math.max(0, Math.min(left, extra));
  }
  return found;
}

/** Whoever something was done to had a task that said that it begins. */
function unannounced(evidence: Evidence): readonly string[] {
  const started = new Set(evidence.outbox.flatMap(({ entry, request_id: id }) => (entry.type === 'task.started' ? [`${String(entry.system)} ${String(id)}`] : [])));
  const touched = { stripe: new Set(evidence.vendors.effects.stripe.map(({ object }) => object)), segment: new Set(evidence.vendors.segment.regulations.flatMap(({ subjects }) => subjects)) };
  return evidence.world.people.flatMap((person) =>
    (['stripe', 'segment'] as const).flatMap((system) => {
      const own = system === 'stripe' ? person.customers : person.userIds;
      if (!own.some((each) => touched[system].has(each))) return [];
      return evidence.requestsOf(person).some((each) => started.has(`${system} ${each.id}`)) ? [] : [`${system}: something was done to ${own.join(', ')} and no task had begun`];
    }),
  );
}
