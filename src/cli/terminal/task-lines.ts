import type { Request, Task } from '../api-schemas.ts';
import { renderBar, renderElapsed } from './progress.ts';
import { renderTable } from './table.ts';

const barWidth = 12;

/** How far a task is, where its vendor does not count: acting is the first half, reading back the second. */
const stages: Readonly<Record<Task['status'], number>> = { waiting: 0, running: 0.25, confirming: 0.7, settled: 1, manual: 1 };

/** Gives the counts of a task: `customers 1, payment_methods 2`. */
export function renderCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
}

/** Says how a task stands: what it does, why it waits, how it ended. */
export function describeTask(task: Task): string {
  switch (task.status) {
    case 'waiting':
      return 'waits for the systems before it';
    case 'running':
    case 'confirming': {
      const doing = task.status === 'running' ? (task.attempts === 0 ? 'starting' : 'running') : 'reading back';
      return task.error_code === null ? doing : `${doing}, again after ${task.error_code}`;
    }
    case 'settled':
      return [task.outcome ?? 'settled', task.confirmation ?? ''].filter((each) => each !== '').join(', ');
    case 'manual':
      return `WAITS FOR A PERSON: ${task.error_code ?? 'no code'}`;
    default:
      return task.status satisfies never;
  }
}

/** Gives one line for each task: a bar, how it stands, how many attempts it took. */
export function taskLines(tasks: readonly Task[]): readonly string[] {
  const width = Math.max(0, ...tasks.map((task) => `${task.system} ${task.identifier.kind}`.length));
  return tasks.map((task) => {
    const { progress } = task;
    const within = progress === null || progress.total === null || progress.total === 0 ? 0.25 : 0.1 + (0.5 * progress.done) / progress.total;
    const fraction = task.status === 'running' ? within : stages[task.status];
    const counted = task.status === 'running' && progress !== null ? ` ${progress.done}${progress.total === null ? '' : `/${progress.total}`}` : '';
    const attempts = task.attempts > 1 ? ` (${task.attempts} steps)` : '';
    return `  ${`${task.system} ${task.identifier.kind}`.padEnd(width)} ${renderBar(fraction, barWidth)} ${describeTask(task)}${counted}${attempts}`;
  });
}

/** Gives the first line of a request that is followed. */
export function requestLine(request: Request, tasks: readonly Task[], elapsedMs: number): string {
  const settled = tasks.filter((task) => task.status === 'settled').length;
  const verdict = request.verdict === null ? '' : `, ${request.verdict}`;
  return `${request.reference}  ${request.status}${verdict}  ${settled}/${tasks.length} tasks settled  ${renderElapsed(elapsedMs)}`;
}

/** Gives the table of what became of every task. */
export function outcomeTable(tasks: readonly Task[]): readonly string[] {
  const rows = tasks.map((task) => [
    task.system,
    task.identifier.kind,
    task.status === 'manual' ? `waits for a person (${task.error_code ?? ''})` : (task.outcome ?? task.status),
    task.confirmation ?? '–',
    renderCounts(task.counts) || '–',
    String(task.attempts),
  ]);
  return renderTable(['system', 'identifier', 'outcome', 'confirmation', 'objects', 'steps'], rows);
}

/** Gives the lines that say what stays in which system, why, and until when; none where nothing stays. */
export function residueLines(tasks: readonly Task[]): readonly string[] {
  const lines = tasks.flatMap((task) =>
    task.residue.map((each) => {
      const basis = each.legal_basis === undefined ? '' : `, ${each.legal_basis}`;
      const until = each.until === undefined ? '' : `, until ${each.until.slice(0, 10)}`;
      return `  ${task.system}: ${each.count === undefined ? '' : `${each.count} `}${each.what} (${each.why}${basis}${until})`;
    }),
  );
  return lines.length === 0 ? [] : ['What stays, and why:', ...new Set(lines)];
}
