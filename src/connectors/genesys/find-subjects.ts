import type { ConfirmResult, ConnectorContext, EraseContext, Located, LocateResult } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { GenesysConfig } from './config.ts';
import { externalIdsOf } from './external-ids.ts';
import { searchSubjects, type Subject } from './gdpr-api.ts';
import type { Gateway } from './gateway.ts';

/** What is only one of several subjects' may be somebody else's. */
const doubtful = 0.5;

/** The kinds of identifier that subjects can be searched by. */
export const searchedKinds = ['external_id', 'email', 'phone'] as const;

/** The names by which Genesys itself knows a subject, as comparable strings; the whole object where it has none. */
export function namesOf(subject: Subject): readonly string[] {
  const { externalContactId, dialerContactId, journeyCustomer, socialHandle, externalId } = subject;
  const parts: readonly (readonly (string | null | undefined)[])[] = [
    ['contact', externalContactId],
    ['dialer', dialerContactId?.contactListId, dialerContactId?.id],
    ['journey', journeyCustomer?.type, journeyCustomer?.id],
    ['social', socialHandle?.type, socialHandle?.value],
    ['external', externalId],
  ];
  const names = parts.filter((part) => part.every((each) => typeof each === 'string')).map((part) => JSON.stringify(part));
  return names.length > 0 ? names : [JSON.stringify(Object.entries(subject).toSorted(([one], [other]) => (one < other ? -1 : 1)))];
}

/** Every subject that is found under an identifier in any of its spellings, each once. */
export async function findSubjects(context: ConnectorContext, config: GenesysConfig, gateway: Gateway, identifier: Identifier): Promise<readonly Subject[]> {
  const found: Subject[] = [];
  for (const search of searchesFor(config, identifier)) found.push(...(await searchSubjects(context, gateway, search)));
  return distinct(found);
}

/** Each subject once: one whose names all are another's is left out. */
export function distinct(found: readonly Subject[]): readonly Subject[] {
  const byNames = new Map(found.map((subject) => [JSON.stringify([subject.userId ?? null, ...namesOf(subject)]), subject]));
  const each = [...byNames.values()];
  const isWithin = (one: Subject, other: Subject): boolean => one !== other && namesOf(one).length < namesOf(other).length && namesOf(one).every((name) => namesOf(other).includes(name));
  return each.filter((one) => isEmployee(one) || !each.some((other) => isWithin(one, other)));
}

/** Somebody who works there: no customer's wish reaches an employee's record. */
export function isEmployee({ userId }: Subject): boolean {
  return typeof userId === 'string' && userId !== '';
}

function searchesFor(config: GenesysConfig, identifier: Identifier): readonly { readonly type: string; readonly value: string }[] {
  const ids = externalIdsOf(config, identifier).map((value) => ({ type: 'EXTERNAL_ID', value }));
  if (identifier.kind !== 'email' && identifier.kind !== 'phone') return ids;
  // A number as it was given counts only with its country code: without it the same digits may be somebody else's.
  const raw = identifier.raw?.trim() ?? '';
  const isUsable = raw !== '' && (identifier.kind === 'email' || raw.startsWith('+'));
  const type = identifier.kind === 'email' ? 'EMAIL' : 'PHONE';
  return [...[...new Set([identifier.value, ...(isUsable ? [raw] : [])])].map((value) => ({ type, value })), ...ids];
}

/**
 * Whether a number is shared: two of its subjects have addresses of which none is the same, or other names. A number alone does not make two records
 * one person's; an address or an external id does.
 */
function areSeveralPeople(identifier: Identifier, subjects: readonly Subject[]): boolean {
  if (identifier.kind !== 'phone') return false;
  const emailsOf = (subject: Subject): readonly string[] => identifiersOf(subject).flatMap(({ kind, value }) => (kind === 'email' ? [value] : []));
  const differ = (one: Subject, other: Subject): boolean => {
    const [mine, theirs] = [emailsOf(one), emailsOf(other)];
    if (mine.length > 0 && theirs.length > 0) return !mine.some((each) => theirs.includes(each));
    const [name, otherName] = [one.name?.trim().toLowerCase() ?? '', other.name?.trim().toLowerCase() ?? ''];
    return name !== '' && otherName !== '' && name !== otherName;
  };
  return subjects.some((one, at) => subjects.slice(at + 1).some((other) => differ(one, other)));
}

/** Why what was found under an identifier may be somebody else's, in a sentence; undefined where nothing says so. `known` are the identifiers that are sure. */
export function doubtAbout(config: GenesysConfig, identifier: Identifier, subjects: readonly Subject[], known: readonly Identifier[]): string | undefined {
  // The same number may be an employee's and a customer's.
  if (subjects.some(isEmployee)) return 'A subject found under this identifier is one of the organisation’s own users';
  if (areSeveralPeople(identifier, subjects)) return 'The number is shared: the subjects found under it have different addresses or names';
  const isStrange = subjects.some((each) => unknownOf(config, each, known).length > 0);
  return isStrange ? 'A subject found under this identifier also has an address, number or external id that is not proven to be the person’s' : undefined;
}

/** What a subject holds in our kinds and normal forms. A number without its country code and an e-mail that is none are left out. */
export function identifiersOf(subject: Subject): readonly Identifier[] {
  const phones = (subject.phoneNumbers ?? []).map((each) => each.replaceAll(/[\s().-]/gu, '')).filter((each) => /^\+[1-9]\d{6,14}$/u.test(each));
  const emails = (subject.emailAddresses ?? []).map((each) => each.trim().toLowerCase()).filter((each) => /^[^\s@]+@[^\s@]+\.[^\s@]+$/u.test(each));
  const { externalId } = subject;
  return [
    ...(typeof externalId === 'string' && externalId !== '' ? [{ kind: 'external_id', value: externalId } as const] : []),
    ...emails.map((value) => ({ kind: 'email', value }) as const),
    ...phones.map((value) => ({ kind: 'phone', value }) as const),
  ];
}

/** The identifiers of a subject that are none of these, in any way in which these are written at Genesys. */
export function unknownOf(config: GenesysConfig, subject: Subject, known: readonly Identifier[]): readonly Identifier[] {
  const ids = new Set(known.flatMap((each) => externalIdsOf(config, each)));
  const isKnown = ({ kind, value }: Identifier): boolean => (kind === 'external_id' && ids.has(value)) || known.some((each) => each.kind === kind && each.value === value);
  return identifiersOf(subject).filter((each) => !isKnown(each));
}

/** Finds what Genesys ties to the known identifiers. Where several subjects share one, what they hold may be different people's and is handed on as doubtful. */
export async function locateSubjects(context: ConnectorContext, config: GenesysConfig, gateway: Gateway, known: readonly Identifier[]): Promise<LocateResult> {
  const found = new Map<string, Located>();
  const knows: Identifier[] = [];
  for (const via of known) {
    const subjects = await findSubjects(context, config, gateway, via);
    if (subjects.length > 0) knows.push(via);
    const confidence = subjects.length === 1 ? 1 : doubtful;
    for (const identifier of subjects.filter((each) => !isEmployee(each)).flatMap((each) => unknownOf(config, each, known))) {
      const key = `${identifier.kind}:${identifier.value}`;
      if ((found.get(key)?.confidence ?? 0) < confidence) found.set(key, { identifier, via, confidence });
    }
  }
  return { found: [...found.values()], knows };
}

const firstWaitMs = 60_000;
/** How long a subject may still be found after its deletion was completed before that counts as still present. Not documented; an index lags. */
const staleMs = 3_600_000;

/** Searches again under the task's identifier. `since`: when the deletion was completed. */
export async function confirmByName(context: EraseContext, config: GenesysConfig, gateway: Gateway, since: number): Promise<ConfirmResult> {
  const { identifier } = context;
  const left = await findSubjects(context, config, gateway, identifier);
  if (left.length === 0) return { state: 'absent' };
  const elapsedMs = context.now() - since;
  if (elapsedMs < staleMs) return { state: 'later', afterMs: Math.min(staleMs - elapsedMs, Math.max(firstWaitMs, elapsedMs)) };
  // Its own identifier comes first: that the others are other tasks' matter does not make this one gone.
  return { state: 'present', found: [identifier, ...left.filter((each) => !isEmployee(each)).flatMap((each) => unknownOf(config, each, [identifier]))] };
}
