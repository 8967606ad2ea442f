import { Failure, type EraseContext } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { CallContext } from './authenticate.ts';
import { looseForm, tiedTo } from './identifier-forms.ts';
import { mainLookUps, readPages, type System } from './look-up.ts';

const keyOf = ({ kind, value }: Identifier): string => `${kind}:${looseForm(kind, value)}`;

/**
 * Fails with `SUBJECT_AMBIGUOUS` where what is found under an identifier may be somebody else's: a record that a look-up's `match` does not recognise and
 * its declaration will not leave out, or several records that differ in an address or a number; under a telephone number, which households share, in any
 * identifier. Answers what else the records tie to the person.
 */
export async function refuseSeveralPeople(context: CallContext, system: System, identifier: Identifier): Promise<readonly Identifier[]> {
  const records: (readonly Identifier[])[] = [];
  for (const lookUp of mainLookUps(system.declaration.locate, identifier.kind)) {
    if (Object.keys(lookUp.found).length === 0 && lookUp.unmatched === 'left_out') continue;
    for await (const page of readPages(context, system, lookUp, { identifier, isStrict: true })) records.push(...page.records.map((record) => tiedTo(lookUp, record)));
  }
  const telling = (each: Identifier): boolean => identifier.kind === 'phone' || each.kind === 'email' || each.kind === 'phone';
  const isOfTwo = records.some((one) => records.some((other) => one.filter(telling).some((each) => differsIn(each, other))));
  if (isOfTwo) throw new Failure('SUBJECT_AMBIGUOUS', 'The records under the identifier may be of several people');
  return records.flat();
}

/** True where the other record has identifiers of that kind and not this one. */
function differsIn(identifier: Identifier, other: readonly Identifier[]): boolean {
  const same = other.filter(({ kind }) => kind === identifier.kind);
  return same.length > 0 && !same.some((each) => keyOf(each) === keyOf(identifier));
}

/**
 * The same before an erasure, and also where a record carries an identifier that resolution did not find to be the person's: two people may share
 * what was asked by, and nothing of either is erased before a person has looked.
 */
export async function refuseOtherPeople(context: EraseContext, system: System): Promise<void> {
  const tied = await refuseSeveralPeople(context, system, context.identifier);
  const known = new Set(context.identifiers.map((each) => keyOf(each)));
  if (tied.some((each) => !known.has(keyOf(each)))) throw new Failure('SUBJECT_AMBIGUOUS', 'A record carries an identifier that was not resolved to the person');
}
