import { formatId } from '../../../src/contract/ids.ts';
import { nameRequest, nameTask, type Evidence } from './evidence.ts';

const over: readonly string[] = ['settled', 'manual'];

/** Every open thing has a next wake-up or a person who has it; nobody holds what is over; and after a rest nothing is under way. */
export function wakeViolations(evidence: Evidence): readonly string[] {
  return [...taskViolations(evidence), ...manualViolations(evidence), ...messageViolations(evidence)];
}

function taskViolations({ requests, tasks, manual }: Evidence): readonly string[] {
  const found: string[] = [];
  const status = new Map(requests.map((each) => [each.id, each.status]));
  for (const request of requests) {
    if (!['closed', 'rejected', 'withdrawn', 'expired'].includes(request.status) && request.wake_at === null) found.push(`${nameRequest(request.id)} is ${request.status} and nothing wakes it`);
  }
  for (const task of tasks) {
    const name = `${nameTask(task)} of ${nameRequest(task.request_id)}`;
    if (!over.includes(task.status)) {
      if (task.wake_at === null) found.push(`${name} is ${task.status} and nothing wakes it`);
      if (status.get(task.request_id) !== 'awaiting_approval') found.push(`${name} is ${task.status} and never came to rest`);
      continue;
    }
    if (task.is_leased) found.push(`${name} is ${task.status} and held`);
    if (task.has_place) found.push(`${name} is ${task.status} and has a place of its connection`);
    const waits = manual.filter((each) => each.task_id === task.id && each.settled_at === null).length;
    if (waits !== (task.status === 'manual' ? 1 : 0)) found.push(`${name} is ${task.status} and ${waits} people have it`);
  }
  return found;
}

function manualViolations({ manual, requests }: Evidence): readonly string[] {
  const ended = new Set(requests.filter((each) => ['closed', 'rejected', 'withdrawn', 'expired'].includes(each.status)).map((each) => each.id));
  return manual.flatMap((each) => {
    if (each.settled_at !== null) return [];
    const name = formatId('manualTask', each.id);
    if (each.remind_at === null) return [`${name} waits for a person whom nothing reminds`];
    return ended.has(each.request_id) ? [`${name} waits for a person, and its request is over`] : [];
  });
}

function messageViolations({ notifications }: Evidence): readonly string[] {
  return notifications.flatMap((each) => {
    if (each.wake_at !== null) return [`notification ${each.id} (${each.template}) never came to rest`];
    if (each.sent_at === null && each.error_code === null) return [`notification ${each.id} (${each.template}) was neither sent nor given up, and nothing wakes it`];
    return [];
  });
}
