import type { AuditEntry } from '../../../contract/audit-entry.ts';

/** What an audit entry has to say to the outside: a type, and codes, ids and counts. */
export interface EventContent {
  readonly type: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** What of an entry leaves; everything else stays, above all what an identifier could be recognised by. */
const told = [
  'request_id', 'task_id', 'system', 'connector', 'right', 'law', 'action', 'decision', 'from', 'to', 'outcome', 'confirmation', 'verdict', 'counts', 'verification_method', 'error_code', 'reason_code', 'attempt', 'template',
] as const;

/** What is nobody's business but the log's and the keys' own. */
const untold = /^(?:log|keys|certificate)\./u;

const erasedOutcomes: ReadonlySet<string | undefined> = new Set(['erased', 'anonymised', 'already_absent']);
const seenConfirmations: ReadonlySet<string | undefined> = new Set(['verified_absent', 'attested_by_vendor']);
const wholeVerdicts: ReadonlySet<string | undefined> = new Set(['fulfilled', 'fulfilled_with_retention']);

/**
 * Gives the events of an audit entry: one of the entry's own type, and after it, where an erasure came to its end and was seen to, the one that rules may
 * destroy data on: `system.erased` for one system, `erasure.completed` for a whole request. An erasure that is not confirmed, or that a person says was
 * done by hand, has neither.
 */
export function eventsOfEntry(entry: AuditEntry): readonly EventContent[] {
  if (untold.test(entry.type)) return [];
  const detail: Record<string, unknown> = {};
  for (const field of told) if (entry[field] !== undefined) detail[field] = entry[field];
  const events: EventContent[] = [{ type: entry.type, detail }];
  const isErasing = entry.action === 'erase' || entry.action === 'anonymise';
  if (entry.type === 'task.settled' && isErasing && erasedOutcomes.has(entry.outcome) && seenConfirmations.has(entry.confirmation)) events.push({ type: 'system.erased', detail });
  if (entry.type === 'request.closed' && entry.right === 'erasure' && wholeVerdicts.has(entry.verdict)) events.push({ type: 'erasure.completed', detail });
  return events;
}
