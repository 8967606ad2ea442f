import type { Disclosure } from './disclosure.ts';

/** The type of a record that stands for something that its system did not give. */
const notIncludedType = 'object_not_included';

const details = {
  too_large: 'It is too large to be copied into a package; ask for it.',
  archived: 'It is in an archive that has to be asked to bring it back first; ask for it.',
  elsewhere: 'It lies where the system’s interface does not lead; ask for it.',
} as const;

/** Why what a record stands for is not in the package; undefined where the record is what it is. */
export function notIncluded(type: string, data: unknown): Disclosure['leftOut'] {
  if (type !== notIncludedType || typeof data !== 'object' || data === null) return undefined;
  const { not_included: reason } = data as { readonly not_included?: unknown };
  return reason === 'too_large' || reason === 'archived' || reason === 'elsewhere' ? { reason, detail: details[reason] } : undefined;
}
