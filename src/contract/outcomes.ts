import { z } from 'zod';

/**
 * What a person can ask for: `erasure` (GDPR Art. 17), `access` (Art. 15), `portability` (Art. 20), `rectification` (Art. 16), `restriction` (Art. 18), `objection`
 * (Art. 21), `automated_decision` (an objection to automated decisions, Art. 22), and of California's law `opt_out_sale` and `limit_sensitive`.
 */
export const rightSchema = z.enum(['erasure', 'access', 'portability', 'rectification', 'restriction', 'objection', 'opt_out_sale', 'limit_sensitive', 'automated_decision']);
/** What a person can ask for. */
export type Right = z.infer<typeof rightSchema>;

/** Rights whose answer is a copy of the data. */
export const copyRights: readonly Right[] = ['access', 'portability'];
/** Rights whose answer is that some processing stops: they are entered in the register of restrictions, and no system is called. */
export const restrictingRights: readonly Right[] = ['restriction', 'objection', 'opt_out_sale', 'limit_sensitive', 'automated_decision'];

/** What a plan decides for one identifier in one system. */
export const decisionSchema = z.enum(['erase', 'anonymise', 'export', 'rectify', 'refresh', 'locate', 'retain', 'not_applicable', 'unsupported']);
/**
 * What a task does in a system: `export` reads what it holds, `rectify` corrects it, `refresh` has aggregates made anew once everything is erased there, `locate` looks the person up where that could not
 * be done before the plan was made.
 */
export const actionSchema = z.enum(['erase', 'anonymise', 'export', 'rectify', 'refresh', 'locate']);
/** What a task does in a system. */
export type Action = z.infer<typeof actionSchema>;

/** Actions after which the data is gone from a system: only the plan of an erasure has them. */
export const erasingActions: readonly Action[] = ['erase', 'anonymise'];

/** What a plan decides for one identifier in one system. */
export type Decision = z.infer<typeof decisionSchema>;

/**
 * What happened to one task, and nothing better than what was observed.
 * `already_absent`: seen gone before anything was done. `nothing_matched`: the system knows nobody by this identifier.
 * `retained`: kept on a legal basis. `unsupported`: the system cannot do it. `not_asked`: the request is limited to other systems. `refreshed`: aggregates were made anew without what was erased.
 * `located`: the person was looked up, and what was found has tasks of its own.
 */
export const outcomeSchema = z.enum([
  'erased',
  'anonymised',
  'exported',
  'corrected',
  'restricted',
  'already_absent',
  'nothing_matched',
  'retained',
  'refreshed',
  'located',
  'unsupported',
  'not_asked',
  'skipped_by_operator',
  'done_manually',
  'failed',
]);
/** What happened to one task. */
export type Outcome = z.infer<typeof outcomeSchema>;

/** How it was seen: read back and absent, read back and corrected as asked, the vendor's word only, or neither. */
export const confirmationSchema = z.enum(['verified_absent', 'verified_as_asked', 'attested_by_vendor', 'unconfirmed']);
/** How an erasure or a correction was seen. */
export type Confirmation = z.infer<typeof confirmationSchema>;

/** How a closed request ended. */
export const verdictSchema = z.enum(['fulfilled', 'fulfilled_with_retention', 'partially_fulfilled', 'nothing_held', 'refused']);
/** How a closed request ended. */
export type Verdict = z.infer<typeof verdictSchema>;

/** Where a request stands in its life; the moves between are in `life.ts`. */
export const requestStatusSchema = z.enum([
  'received',
  'verifying',
  'verified',
  'resolving',
  'planned',
  'awaiting_approval',
  'executing',
  'confirming',
  'escalated',
  'closed',
  'rejected',
  'withdrawn',
  'expired',
]);
/** Where a request stands in its life. */
export type RequestStatus = z.infer<typeof requestStatusSchema>;

/** Where a task stands in its life; the moves between are in `life.ts`. */
export const taskStatusSchema = z.enum(['waiting', 'running', 'confirming', 'settled', 'manual']);
/** Where a task stands in its life. */
export type TaskStatus = z.infer<typeof taskStatusSchema>;

/** Something of the person that stays in a system, why, and until when (ISO 8601, absent when no end is known). */
export const residueSchema = z.strictObject({
  /** A code, never free text: `charges`, `recording_metadata`. */
  what: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/u),
  /** Why it stays, as a code: `legal_obligation`, `vendor_retention`, `not_deletable_by_api`. */
  why: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/u),
  /** How many objects, where they were counted. */
  count: z.int().nonnegative().optional(),
  /** The law or vendor's document that says so: `GDPR Art. 17(3)(b)`. */
  legal_basis: z.string().max(200).optional(),
  until: z.iso.datetime().optional(),
});
/** Something of the person that stays in a system. */
export type Residue = z.infer<typeof residueSchema>;

/** Counts by object type: `{customers: 1, payment_methods: 2}`. */
export const countsSchema = z.record(z.string().regex(/^[a-z][a-z0-9_]{0,63}$/u), z.int().nonnegative());
/** Counts by object type. */
export type Counts = z.infer<typeof countsSchema>;
