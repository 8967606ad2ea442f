import type { IdentifierKind } from '../../../contract/identifiers.ts';

/** The confidence of what may be somebody else's: a person decides on what is planned for it. */
export const doubtful = 0.5;

/**
 * Kinds that a vendor's record carries because somebody typed them in, which proves nothing about whose they are. The company's identity map is
 * trusted with them where the source has verified the person.
 */
export const contactKinds: readonly IdentifierKind[] = ['email', 'phone'];
