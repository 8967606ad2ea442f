import { undeclaredCategory, type Hold, type Holds } from '../../../contract/holds.ts';
import type { LeftOutReason } from '../../../contract/export-package.ts';
import { createRedaction, type Redaction } from './redact.ts';

/** What becomes of records of one type from one system. */
export interface Disclosure {
  readonly category: string;
  readonly hold: Hold | undefined;
  readonly redact: Redaction;
  /** Set where they are not in the package. */
  readonly leftOut: { readonly reason: LeftOutReason; readonly detail: string } | undefined;
}

/** A copy that a person asks for: of everything, or of what they may take elsewhere. */
export type CopyRight = 'access' | 'portability';

const portableBases: readonly Hold['legal_basis'][] = ['consent', 'contract'];

function leftOutOf(right: CopyRight, hold: Hold | undefined): Disclosure['leftOut'] {
  if (hold?.not_disclosed !== undefined) return { reason: 'not_disclosed', detail: hold.not_disclosed.reason };
  if (right === 'access') return undefined;
  if (hold === undefined) {
    return { reason: 'not_declared', detail: 'It is not declared whether you provided this; a request of access covers it.' };
  }
  if (!hold.provided_by_subject) {
    return { reason: 'not_provided_by_subject', detail: 'Portability covers what you provided yourself (Art. 20(1) GDPR); a request of access covers this.' };
  }
  if (!portableBases.includes(hold.legal_basis)) {
    return { reason: 'basis_not_consent_or_contract', detail: 'Portability covers what is processed on consent or a contract (Art. 20(1)(a) GDPR); a request of access covers this.' };
  }
  return undefined;
}

/**
 * Decides for each type what becomes of its records. What is not declared is handed out all the same on access, under the category `other`: that we
 * did not describe it is no reason to keep it from the person.
 */
export function createDisclosures(right: CopyRight, holds: Readonly<Record<string, Holds>>): (connection: string, type: string) => Disclosure {
  const known = new Map<string, Disclosure>();
  return (connection, type) => {
    const key = `${connection}\n${type}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const declared = Object.hasOwn(holds, connection) ? holds[connection] : undefined;
    const hold = declared !== undefined && Object.hasOwn(declared, type) ? declared[type] : undefined;
    const made = { category: hold?.category ?? undeclaredCategory, hold, redact: createRedaction(hold?.redact ?? []), leftOut: leftOutOf(right, hold) };
    known.set(key, made);
    return made;
  };
}
