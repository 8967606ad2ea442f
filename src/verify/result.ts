/** Every check that verification makes, by the name under which a failure reports it. docs/reference/certificate.md explains each. */
export type CheckName =
  | 'size'
  | 'encoding'
  | 'json'
  | 'canonical'
  | 'format'
  | 'statement'
  | 'statement-hash'
  | 'leaf'
  | 'request'
  | 'proof-format'
  | 'checkpoint-format'
  | 'note-format'
  | 'key-format'
  | 'origin'
  | 'signature'
  | 'retired'
  | 'index'
  | 'inclusion'
  | 'policy'
  | 'timestamp'
  | 'disclosure'
  | 'seal'
  | 'gap'
  | 'duplicate'
  | 'row-hash'
  | 'entry'
  | 'splice'
  | 'order'
  | 'link'
  | 'fork'
  | 'head-root'
  | 'rollback'
  | 'truncated'
  | 'head-age'
  | 'count'
  | 'start'
  | 'tile'
  | 'missing';

/** What verification says when something is wrong: which check failed, a sentence about it, and the first bad row where there is one. */
export interface Refusal {
  readonly ok: false;
  readonly check: CheckName;
  readonly message: string;
  /** The sequence number of the first bad row, from 0. */
  readonly seq?: number;
}

/** What was asked for, or why not. Verification never throws for what its input holds. */
export type Checked<Value> = ({ readonly ok: true } & Value) | Refusal;

/** Makes a refusal. */
export function refuse(check: CheckName, message: string, seq?: number): Refusal {
  return seq === undefined ? { ok: false, check, message } : { ok: false, check, message, seq };
}
