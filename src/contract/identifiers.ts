import { z } from 'zod';

/**
 * The kinds of identifier that a person can be known by. `email` and `phone` are the person's own words; the others are names that a system
 * gave the person: `stripe_customer` (`cus_…`), `twilio_profile` (`mem_profile_…` or a literal profile sid), `user_id` and `anonymous_id`
 * as Segment and the company's own services use them, `external_id` as a contact centre and its CRM know the person, upper and lower case told apart.
 */
export const identifierKindSchema = z.enum(['email', 'phone', 'user_id', 'anonymous_id', 'stripe_customer', 'twilio_profile', 'external_id']);
/** A kind of identifier. */
export type IdentifierKind = z.infer<typeof identifierKindSchema>;

/** One identifier of a person. */
export interface Identifier {
  readonly kind: IdentifierKind;
  /** In normal form: lower-case e-mail, E.164 phone, the vendor's id as the vendor writes it. */
  readonly value: string;
  /** As it was given, where that is spelt otherwise: a vendor may have stored it so. */
  readonly raw?: string | undefined;
}
