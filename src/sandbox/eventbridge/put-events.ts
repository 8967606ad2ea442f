import { randomUUID } from 'node:crypto';
import { AwsProblem } from './gate.ts';
import { matches } from './match.ts';
import { refuseMember, type AwsCall } from './operation.ts';
import { rulesInEffect } from './rules.ts';
import { takeFault, type Json } from './state.ts';

/** docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html: the sum of its parts, 14 for a time, under 256 KB. */
const entryBytesMax = 256 * 1024;
const bytes = (value: unknown): number => (typeof value === 'string' ? Buffer.byteLength(value) : 0);

/** The size of an entry by the sum that the user guide gives. */
export function entrySize(entry: Json): number {
  const resources = Array.isArray(entry['Resources']) ? (entry['Resources'] as readonly unknown[]) : [];
  return (entry['Time'] === undefined ? 0 : 14) + bytes(entry['Source']) + bytes(entry['DetailType']) + bytes(entry['Detail']) + resources.reduce<number>((sum, each) => sum + bytes(each), 0);
}

function isObjectText(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** The name of the bus of an entry, which may be an ARN. */
function busNameOf(entry: Json): string {
  const named = entry['EventBusName'];
  return typeof named === 'string' ? named.replace(/^arn:aws[\w-]*:events:[^:]+:\d{12}:event-bus\//u, '') : 'default';
}

/** Why an entry is refused: a code and a message, or nothing. */
function problemOf(call: AwsCall, entry: Json): Json | undefined {
  for (const member of ['Source', 'DetailType', 'Detail']) {
    if (typeof entry[member] !== 'string' || entry[member] === '') return { ErrorCode: 'InvalidArgument', ErrorMessage: `Parameter ${member} is not valid. Reason: ${member} is a required argument.` };
  }
  if (String(entry['Source']).startsWith('aws.')) return { ErrorCode: 'NotAuthorizedForSourceException', ErrorMessage: 'Not authorized for the source.' };
  if (String(entry['DetailType']).length > 128) return { ErrorCode: 'InvalidArgument', ErrorMessage: 'Parameter DetailType is not valid. Reason: must be at most 128 characters.' };
  if (!isObjectText(String(entry['Detail']))) return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
  const bus = busNameOf(entry);
  if (!call.state.buses.has(bus)) return { ErrorCode: 'InvalidArgument', ErrorMessage: `Event bus ${bus} does not exist.` };
  return undefined;
}

function ingest({ state, context }: AwsCall, entry: Json): Json {
  const now = context.now();
  const id = randomUUID();
  const at = typeof entry['Time'] === 'number' ? entry['Time'] * 1000 : now;
  // The detail is put in as it was written: numbers keep their form.
  const envelope = JSON.stringify({
    version: '0',
    id,
    'detail-type': entry['DetailType'],
    source: entry['Source'],
    account: state.account,
    time: new Date(at).toISOString().replace(/\.\d+Z$/u, 'Z'),
    region: state.region,
    resources: entry['Resources'] ?? [],
  });
  const eventText = `${envelope.slice(0, -1)},"detail":${String(entry['Detail'])}}`;
  const event = JSON.parse(eventText) as Json;
  context.effect('event.put', id);
  const bus = busNameOf(entry);
  for (const rule of rulesInEffect(state, now)) {
    if (rule.bus !== bus || rule.state !== 'ENABLED' || rule.pattern === undefined || !matches(rule.pattern, event)) continue;
    for (const target of rule.targets) {
      state.deliveries.push({ event, eventText, ingestedAt: now, rule, target, attempts: 0, dueAt: now });
      if (state.twice > 0) {
        state.twice -= 1;
        state.deliveries.push({ event, eventText, ingestedAt: now, rule, target, attempts: 0, dueAt: now });
      }
    }
  }
  return { EventId: id };
}

/** PutEvents: each entry is taken or refused alone; the whole call is refused where none can be read. */
export function putEvents(call: AwsCall): Json {
  const entries = (call.input['Entries'] as readonly Json[] | undefined) ?? refuseMember('entries', 'not be null');
  if (entries.length < 1) refuseMember('entries', 'have length greater than or equal to 1');
  if (entries.length > 10) refuseMember('entries', 'have length less than or equal to 10');
  if (entries.reduce((sum, entry) => sum + entrySize(entry), 0) >= entryBytesMax) throw new AwsProblem('ValidationException', 'Total size of the entries in the request is over the limit.');
  if (entries.every((entry) => ['Source', 'DetailType', 'Detail'].some((member) => entry[member] === undefined))) throw new AwsProblem('ValidationException', 'Parameter(s) Source, DetailType and Detail must be specified.');
  const fault = takeFault(call.state, 'PutEvents', ['entries']);
  const answers = entries.map((entry, index) => {
    if (fault !== undefined && (fault.indices?.includes(index) ?? true)) return { ErrorCode: fault.code, ErrorMessage: `Sandbox: ${fault.code}` };
    return problemOf(call, entry) ?? ingest(call, entry);
  });
  return { FailedEntryCount: answers.filter((answer) => 'ErrorCode' in answer).length, Entries: answers };
}
