import { z } from 'zod';
import { identifierKindSchema, type IdentifierKind } from '../../contract/identifiers.ts';

/** The regulations that delete. `…_INTERNAL` leaves the destinations alone; `SUPPRESS_…` also refuses new data of the user id. */
export const erasingRegulations = ['SUPPRESS_WITH_DELETE', 'DELETE_ONLY', 'SUPPRESS_WITH_DELETE_INTERNAL', 'DELETE_INTERNAL'] as const;

const baseUrl = z
  .url({ protocol: /^https?$/u })
  .refine((value) => !/[?#]/u.test(value), 'must have no query and no fragment')
  .transform((value) => value.replace(/\/+$/u, ''));
const idType = z.string().regex(/^[\w$.-]{1,64}$/u, 'letters, digits, _, $, . and - only');

/** What a Segment connection is configured with; secrets are already resolved. */
export const segmentConfigSchema = z.strictObject({
  profile_api: z.strictObject({
    space_id: z.string().regex(/^[\w-]{1,64}$/u),
    token: z.string().min(1),
    base_url: baseUrl.default('https://profiles.segment.com'),
    /** `external_ids` only reads. `identify` posts to `/users/identify`, which writes at the real vendor: for deployments that answer there. */
    form: z.enum(['external_ids', 'identify']).default('external_ids'),
  }),
  public_api: z.strictObject({
    token: z.string().min(1),
    base_url: baseUrl.default('https://api.segmentapis.com'),
  }),
  regulation: z.enum(erasingRegulations).default('SUPPRESS_WITH_DELETE'),
  /** The names that the space's identity resolution gives to our kinds. */
  id_types: z
    .strictObject({
      user_id: idType.default('user_id'),
      email: idType.default('email'),
      phone: idType.default('phone'),
      anonymous_id: idType.default('anonymous_id'),
    })
    .prefault({}),
  /** Further external id types of the space, and the kind that their values are: `{stripe_customer_id: stripe_customer}`. */
  extra_id_types: z.record(idType, identifierKindSchema).default({}),
  /** How long a profile may still be readable after its regulation ended, before that counts as still present, in seconds. */
  read_back_within_seconds: z.int().min(0).max(2_592_000).default(900),
});

/** What a Segment connection is configured with. */
export type SegmentConfig = z.output<typeof segmentConfigSchema>;

/** A Segment external id type and the kind of identifier its values are. */
export interface IdType {
  readonly type: string;
  readonly kind: IdentifierKind;
}

/** Every external id type that this connection reads and searches by; a type that is named twice keeps its place in `id_types`. */
export function idTypesOf(config: SegmentConfig): readonly IdType[] {
  const { user_id: userId, email, phone, anonymous_id: anonymousId } = config.id_types;
  const own: IdType[] = [
    { type: userId, kind: 'user_id' },
    { type: email, kind: 'email' },
    { type: phone, kind: 'phone' },
    { type: anonymousId, kind: 'anonymous_id' },
  ];
  const taken = new Set(own.map(({ type }) => type));
  return [...own, ...Object.entries(config.extra_id_types).flatMap(([type, kind]) => (taken.has(type) ? [] : [{ type, kind }]))];
}
