import { z } from 'zod';
import { rightSchema } from '../../../contract/outcomes.ts';
import { delayReasons, refusalReasons } from '../../../contract/justifications.ts';

/**
 * How sure a row is, as one tag or several: V, the statute was read; S, a secondary source was read; K, general knowledge; ?, doubtful. A privacy
 * team has its counsel confirm what is not V.
 */
const gradeSchema = z.string().regex(/^[VSK?](?:[/ ][VSK?])*$/u, 'must be of the tags V, S, K and ?');
const sourceSchema = z.string().min(1).max(300);
const dateSchema = z.iso.date();
const count = z.int().min(1).max(3660);

const periodSchema = z.union([z.strictObject({ months: count }), z.strictObject({ days: count }), z.strictObject({ business_days: count }), z.strictObject({ hours: count })]);
/** A length of time, in one of the units that laws count in. */
export type Period = z.infer<typeof periodSchema>;

const responseSchema = z.union([periodSchema, z.strictObject({ without_delay: z.literal(true), guidance: periodSchema.optional() })]);

const clockSchema = z.strictObject({
  rights: z.array(rightSchema).min(1),
  response: responseSchema,
  start: z.enum(['receipt', 'verification']),
  source: sourceSchema,
  grade: gradeSchema,
  draft: z.literal(true).optional(),
  roll: z.strictObject({ rule: z.literal('next_working_day'), source: sourceSchema, grade: gradeSchema }).optional(),
  /** What the law makes of silence: no answer is a refusal. */
  silence: z.literal('deemed_refusal').optional(),
  extension: z
    .strictObject({
      /** `stated`: until the date that the person is told. */
      by: z.union([periodSchema, z.literal('stated')]),
      notice_by: periodSchema,
      reasons: z.array(z.enum(delayReasons)).min(1).optional(),
      source: sourceSchema,
      grade: gradeSchema,
    })
    .optional(),
  acknowledgement: z.strictObject({ within: periodSchema, source: sourceSchema, grade: gradeSchema }).optional(),
  note: z.string().max(400).optional(),
});
/** The clock that a law sets for some rights. */
export type LawClock = z.infer<typeof clockSchema>;

const pauseConditions = ['identity_verification_required', 'information_required'] as const;
/** What a clock may be stopped for: the terms of the Data Privacy Vocabulary. */
export const pauseConditionSchema = z.enum(pauseConditions);
/** What a clock may be stopped for. */
export type PauseCondition = z.infer<typeof pauseConditionSchema>;

const otherClockSchema = z.strictObject({ name: z.string().regex(/^[a-z][a-z_]{1,40}$/u), within: periodSchema, source: sourceSchema, grade: gradeSchema, from: dateSchema.optional(), draft: z.literal(true).optional() });

const fields = z.strictObject({
  /** The version of this format. */
  pack: z.literal(1),
  law: z.string().regex(/^[a-z][a-z_]{1,20}$/u, 'must be lower-case letters and _, at most 21'),
  title: z.string().min(1).max(100),
  /** The day on which this data was last changed. */
  version: dateSchema,
  /** Draft as a whole: never chosen unless the configuration names it as confirmed. */
  draft: z.literal(true).optional(),
  /** `when_named`: holds for some controllers only, and is never chosen by the jurisdiction alone. */
  applies: z.enum(['by_jurisdiction', 'when_named']),
  jurisdictions: z.array(z.string().regex(/^[A-Z]{2}(-[A-Z0-9]{1,3})?$/u, 'must be an ISO 3166 code such as DE or US-CA')),
  effective: z.strictObject({ from: dateSchema, grade: gradeSchema }),
  calendar: z.strictObject({
    time_zone: z.string().refine(isTimeZone, 'must be a time zone of the IANA database'),
    /** Whose public holidays are no working days: `BE`, `US-CA`. */
    holidays: z.string().regex(/^[A-Z]{2}(-[A-Z0-9]{1,3})?$/u),
    /** Monday is 1. */
    weekend: z.array(z.int().min(1).max(7)).min(1).max(3).default([6, 7]),
  }),
  note: z.string().max(400).optional(),
  clocks: z.array(clockSchema).min(1),
  pauses: z.array(z.strictObject({ condition: pauseConditionSchema, source: sourceSchema, grade: gradeSchema, from: dateSchema.optional() })).default([]),
  /** Absent where nobody has gone through the law's grounds: then every term is taken. */
  refusals: z.array(z.strictObject({ reason: z.enum(refusalReasons), source: sourceSchema, grade: gradeSchema })).min(1).optional(),
  appeal: z.strictObject({ within: periodSchema, extension: periodSchema.optional(), source: sourceSchema, grade: gradeSchema }).optional(),
  /** What the law counts beside requests: consent revocation, complaints, breaches. Shown, and used by whoever runs those. */
  other_clocks: z.array(otherClockSchema).default([]),
});

/** One law as data: what `law-packs/*.yaml` must be. */
export const lawPackSchema = fields.superRefine((pack, context) => {
  const mustBeDraft = (each: { readonly grade: string; readonly draft?: true | undefined }, ...path: (string | number)[]): void => {
    if (each.grade.includes('?') && each.draft !== true && pack.draft !== true) context.addIssue({ code: 'custom', path, message: 'a row graded ? must be a draft' });
  };
  pack.other_clocks.forEach((each, index) => mustBeDraft(each, 'other_clocks', index));
  if (pack.appeal !== undefined) mustBeDraft(pack.appeal, 'appeal');
  pack.clocks.forEach((clock, index) => {
    const { extension, acknowledgement } = clock;
    mustBeDraft(clock, 'clocks', index);
    if (extension !== undefined) mustBeDraft({ grade: extension.grade, draft: clock.draft }, 'clocks', index, 'extension');
    if (acknowledgement !== undefined) mustBeDraft({ grade: acknowledgement.grade, draft: clock.draft }, 'clocks', index, 'acknowledgement');
    const { rights } = clock;
    const before = pack.clocks.slice(0, index).flatMap((each) => each.rights);
    const twice = rights.find((right, at) => before.includes(right) || rights.indexOf(right) !== at);
    if (twice !== undefined) context.addIssue({ code: 'custom', path: ['clocks', index, 'rights'], message: `${twice} has a clock already` });
  });
});
/** One law as data. */
export type LawPack = z.infer<typeof lawPackSchema>;

/** The clock that a law has for a right, drafts included. */
export const clockFor = (pack: LawPack, right: LawClock['rights'][number]): LawClock | undefined => pack.clocks.find((clock) => clock.rights.includes(right));

/** Whether a clock is doubtful: never a default. */
export const isDraft = (pack: LawPack, clock: LawClock): boolean => pack.draft === true || clock.draft === true;

/** Whether a grade is good enough to let a period end later than it otherwise would. */
export const isRelied = (grade: string): boolean => /[VS]/u.test(grade) && !grade.includes('?');

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
