import { canonicalJson, verifyLog } from '../../../src/verify/index.ts';
import { formatId } from '../../../src/contract/ids.ts';
import { nameRequest, nameTask, type Entry, type Evidence, type RequestRow, type TaskRow } from './evidence.ts';

/** The log verifies, is what was recorded, and holds for each request exactly the entries that its rows imply. */
export async function logViolations(evidence: Evidence): Promise<readonly string[]> {
  const byRequest = Map.groupBy(evidence.outbox, (each) => each.request_id ?? '');
  const ofRequests = evidence.requests.flatMap((request) => requestEntryViolations(evidence, request, (byRequest.get(request.id) ?? []).map((each) => each.entry)));
  return [...(await chainViolations(evidence)), ...outboxViolations(evidence), ...ofRequests];
}

async function chainViolations({ log, heads, world }: Evidence): Promise<readonly string[]> {
  const key = world.verifierKeys[0] ?? '';
  const verified = await verifyLog({
    origin: key.split('+', 1)[0] ?? '',
    rows: [log.map(({ seq, entry, hash }) => ({ seq, entry, hash }))],
    heads: heads.map((note) => ({ note, source: 'stored' })),
    trust: { keys: world.verifierKeys },
  });
  if (!verified.ok) return [`the log does not verify: ${verified.check}: ${verified.message}`];
  return verified.signedSize === log.length ? [] : [`the log has ${log.length} rows, and the last signed head covers ${verified.signedSize}`];
}

/** Each recorded entry is in the log once and nothing else is; of each request in the order in which they were recorded. */
function outboxViolations({ outbox, log }: Evidence): readonly string[] {
  const found: string[] = [];
  const recorded = new Map(outbox.map((each) => [each.event_id, each]));
  const logged = new Set(log.map((each) => each.event_id));
  for (const each of outbox) {
    if (each.delivered_at === null) found.push(`event ${each.event_id} (${each.entry.type}) was never delivered to the log`);
    else if (!logged.has(each.event_id)) found.push(`event ${each.event_id} (${each.entry.type}) is marked as delivered and is not in the log`);
  }
  if (logged.size !== log.length) found.push('an event is in the log twice');
  const last = new Map<string, number>();
  for (const { seq, event_id: event, entry } of log) {
    const source = recorded.get(event);
    if (source === undefined) {
      found.push(`row ${seq} of the log tells of an event that nothing recorded`);
      continue;
    }
    const { log: _log, seq: _seq, prev: _prev, event_id: _event, ...rest } = JSON.parse(Buffer.from(entry).toString('utf8')) as Record<string, unknown>;
    if (canonicalJson(rest) !== canonicalJson(source.entry)) found.push(`row ${seq} of the log is not what was recorded`);
    const of = source.request_id ?? '';
    // Two tasks of a request may commit in another order than they began; moves of the request itself may not.
    const isMove = source.entry.to !== undefined && source.entry.task_id === undefined;
    if (isMove && (last.get(of) ?? 0) > source.id) found.push(`row ${seq} of the log is out of order in ${nameRequest(of)}`);
    if (isMove) last.set(of, source.id);
  }
  return found;
}

function requestEntryViolations(evidence: Evidence, request: RequestRow, entries: readonly Entry[]): readonly string[] {
  const name = nameRequest(request.id);
  const found: string[] = [];
  const count = (type: string): number => entries.filter((each) => each.type === type).length;
  const expect = (type: string, expected: number): void => {
    if (count(type) !== expected) found.push(`${name} has ${count(type)} entries of ${type}, and its rows imply ${expected}`);
  };
  const reopened = count('request.reopened');
  const closings = reopened + (request.status === 'closed' ? 1 : 0);
  expect('request.received', 1);
  expect('request.closed', closings);
  expect('certificate.issued', closings);
  expect('suppression.added', closings);
  expect('request.shredded', request.is_destroyed ? 1 : 0);
  const notifications = evidence.notifications.filter((each) => each.request_id === request.id);
  expect('notification.sent', notifications.filter((each) => each.sent_at !== null).length);
  expect('notification.skipped', notifications.filter((each) => each.sent_at === null && each.wake_at === null).length);
  if (entries[0]?.type !== 'request.received') found.push(`${name} does not begin with its receipt`);
  const verdict = entries.findLast((each) => each.type === 'request.closed')?.verdict;
  if (request.status === 'closed' && verdict !== request.verdict) found.push(`${name} is ${String(request.verdict)} and the log says ${String(verdict)}`);
  return [...found, ...moveViolations(request, entries), ...evidence.tasks.filter((each) => each.request_id === request.id).flatMap((task) => taskEntryViolations(evidence, task, entries))];
}

/** Each move begins where the one before ended, and the last one ends where the request stands. */
function moveViolations(request: RequestRow, entries: readonly Entry[]): readonly string[] {
  let at: string | undefined;
  for (const { type, task_id: task, from, to } of entries) {
    if (task !== undefined || to === undefined) continue;
    if (from !== undefined && from !== at) return [`${nameRequest(request.id)} has a ${type} from ${from} where it was ${String(at)}`];
    at = to;
  }
  return at === request.status ? [] : [`${nameRequest(request.id)} is ${request.status} and the log leaves it ${String(at)}`];
}

function taskEntryViolations(evidence: Evidence, task: TaskRow, all: readonly Entry[]): readonly string[] {
  if (task.decision === 'not_applicable') return [];
  const id = formatId('task', task.id);
  const name = `${nameTask(task)} of ${nameRequest(task.request_id)}`;
  const entries = all.filter((each) => each.task_id === id);
  const count = (type: string): number => entries.filter((each) => each.type === type).length;
  const manual = evidence.manual.filter((each) => each.task_id === task.id);
  const retries = manual.filter((each) => each.settled_how === 'retry').length;
  const found: string[] = [];
  const expect = (type: string, least: number, most = least): void => {
    const seen = count(type);
    if (seen < least || seen > most) found.push(`${name} has ${seen} entries of ${type}, and its rows imply ${least === most ? least : `${least} to ${most}`}`);
  };
  expect('task.escalated', manual.length);
  expect('task.retried', retries);
  const endings = entries.filter((each) => each.type === 'task.settled' || each.type === 'task.settled_manually');
  const reopened = all.filter((each) => each.type === 'request.reopened').length;
  // What was left out because its request was refused or taken back is told by the request's entry.
  const isEnded = ['rejected', 'withdrawn', 'expired'].includes(evidence.requests.find((each) => each.id === task.request_id)?.status ?? '');
  if (task.status === 'settled' && !isEnded) {
    if (endings.length < 1 || endings.length > 1 + reopened) found.push(`${name} is settled and the log tells of ${endings.length} endings`);
    const said = endings.at(-1);
    if (said?.outcome !== task.outcome) found.push(`${name} is ${String(task.outcome)} and the log says ${String(said?.outcome)}`);
    if (said?.type === 'task.settled' && (said.confirmation ?? null) !== task.confirmation) found.push(`${name} is ${String(task.confirmation)} and the log says ${String(said.confirmation)}`);
  } else if (endings.length > reopened) {
    found.push(`${name} is ${task.status} and the log tells of an ending`);
  }
  const wasCalled = entries.some((each) => ['task.reported', 'task.confirmed', 'task.vendor_job', 'task.attempt_failed', 'task.settled'].includes(each.type));
  expect('task.started', wasCalled ? 1 : 0, 1 + retries + reopened);
  return found;
}
