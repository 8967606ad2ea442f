import { fitsPlainly } from '../../test/vectors/event-patterns/interpreter.ts';
import { parsePattern } from '../../src/modules/events/domain/pattern.ts';
import { compileRules, type Rule } from '../../src/modules/events/domain/rule-set.ts';
import { inTurns, rowOf, sized, type BenchRow } from '../measure.ts';

const runs = 5;
const pick = <Value>(list: readonly Value[], index: number): Value => list[index % list.length] as Value;
const types = Array.from({ length: 20 }, (_each, index) => `${pick(['erasure', 'access', 'rectification', 'restriction'], index)}.${pick(['opened', 'verified', 'planned', 'completed', 'closed'], index >> 2)}`);
const regions = ['eu-central-1', 'eu-west-1', 'eu-west-3', 'us-east-1', 'us-west-2', 'ap-south-1'];
const systems = ['stripe', 'twilio', 'segment', 'genesys', 'users-database', 'exports-bucket', 'HubSpot', 'zendesk.eu'];
const outcomes = ['erased', 'nothing_matched', 'unconfirmed', 'failed', 'retained'];

/** Rules as an installation with many subscribers would have them: most ask for one event of one tenant, some for kinds, ranges, elements of lists. */
function patternOf(index: number): unknown {
  const type = pick(types, index * 7);
  switch (index % 20) {
    case 0:
    case 1:
    case 2:
      return { source: [{ prefix: 'quittance' }], 'detail-type': [type], detail: { region: [{ prefix: pick(['eu-', 'us-', 'ap-'], index) }, { wildcard: `${pick(['eu', 'us'], index)}-*-${index % 4}` }], tenant: [{ suffix: `-${index % 97}` }] } };
    case 3:
    case 4:
    case 5:
      return { 'detail-type': [type, pick(types, index), pick(types, index + 3)], detail: { counts: { records: [{ numeric: ['>=', index * 10, '<', index * 10 + 500] }] } } };
    case 6:
    case 7:
      return { 'detail-type': [{ wildcard: `*.${pick(['completed', 'closed'], index)}` }], detail: { owner: [{ 'equals-ignore-case': `Team-${index}@Example.com` }] } };
    case 8:
    case 9:
      return { source: ['quittance'], detail: { outcome: [{ 'anything-but': [pick(outcomes, index), pick(outcomes, index + 1)] }], jurisdiction: [`Q${index % 50}`], tenant: [`tenant-${index}`, `tenant-${index + 1}`] } };
    case 10:
      return { 'detail-type': [type], detail: { systems: { name: [pick(systems, index)], outcome: [pick(outcomes, index)], records: [{ numeric: ['>', index] }] }, tenant: [`tenant-${index}`] } };
    case 11:
      return { detail: { $or: [{ tenant: [`tenant-${index}`], late: [{ exists: false }] }, { address: [{ cidr: `10.${index % 256}.0.0/16` }] }] } };
    default:
      return { source: ['quittance'], 'detail-type': [type], detail: { tenant: [`tenant-${index}`], right: [pick(['erasure', 'access'], index)] } };
  }
}

function eventOf(index: number): unknown {
  const scatter = (index * 7919) % 100_003;
  return {
    version: '0',
    id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    'detail-type': pick(types, scatter),
    source: index % 10 === 0 ? 'other' : 'quittance',
    account: '000000000000',
    time: '2026-11-21T10:00:00Z',
    region: 'local',
    resources: [],
    detail: {
      event_id: `evt-${index}`,
      request_id: `req_${scatter}`,
      tenant: `tenant-${scatter % 1200}`,
      region: pick(regions, scatter),
      right: pick(['erasure', 'access', 'portability'], scatter),
      outcome: pick(outcomes, scatter),
      jurisdiction: `Q${scatter % 60}`,
      owner: `team-${scatter % 1500}@example.com`,
      address: `10.${scatter % 256}.3.4`,
      counts: { records: scatter % 12_000, systems: 3 },
      systems: [0, 1, 2].map((offset) => ({ name: pick(systems, scatter + offset), outcome: pick(outcomes, scatter + offset), records: (scatter * (offset + 1)) % 2000 })),
    },
  };
}

/** Counts what matched, so that no work can be left out, and gives events a second. */
function rate(count: number, matchesOf: (index: number) => number, expected: number): number {
  const start = performance.now();
  let matches = 0;
  for (let index = 0; index < count; index += 1) matches += matchesOf(index);
  const seconds = (performance.now() - start) / 1000;
  if (matches !== expected) throw new Error(`${matches} matches instead of ${expected}`);
  return count / seconds;
}

/** Event patterns of 1,000 rules against a stream of events. */
const rules: BenchRow = {
  name: 'rules',
  run: async (context) => {
    const distinct = sized(context, 20_000, 500);
    const count = sized(context, 200_000, 1000);
    const sample = Math.min(distinct, sized(context, 2000, 50));
    const patterns = Array.from({ length: 1000 }, (_each, index) => patternOf(index));
    const all: readonly Rule[] = patterns.map((pattern, index) => ({ name: `rule-${index}`, pattern: parsePattern(pattern) }));
    const events = Array.from({ length: distinct }, (_each, index) => eventOf(index));
    const compileStart = performance.now();
    const together = compileRules(all);
    const compileMs = performance.now() - compileStart;
    const alone = all.map((rule) => compileRules([rule]));
    for (const event of events.slice(0, 50)) {
      const plain = all.flatMap(({ name }, index) => (fitsPlainly(patterns[index], event) ? [name] : []));
      if (together.match(event).join() !== plain.join()) throw new Error('The compiled rules and the plain interpreter disagree');
    }
    const each = events.map((event) => together.match(event).length);
    const matchesOf = (index: number): number => together.match(events[index % distinct]).length;
    const sum = (until: number): number => Array.from({ length: until }, (_each, index) => each[index % distinct] ?? 0).reduce((total, one) => total + one, 0);
    const matchesAlone = (index: number): number => alone.reduce((total, one) => total + one.match(events[index]).length, 0);
    const pairs = await inTurns(context, rules.name, runs, {
      measured: async () => rate(count, matchesOf, sum(count)),
      reference: async () => rate(sample, matchesAlone, sum(sample)),
    });
    const head = {
      name: rules.name,
      what: '1,000 event patterns compiled together, parsed events matched on one core',
      against: 'the same rules, each compiled alone and tried one after the other',
      unit: 'events/s',
      size: count,
      goal: { how: 'at_least', factor: 0, plus: 100_000 },
    } as const;
    return [rowOf(head, pairs, { 'milliseconds to compile the rules': [compileMs], 'rules that an event matches, on average': [sum(distinct) / distinct] })];
  },
};

/** The speed of event rules. */
export const ruleRows: readonly BenchRow[] = [rules];
