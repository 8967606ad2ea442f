import type { Stripe } from 'stripe';
import type { Customer } from './customers.ts';

/** The mark that flow-driven deletions look for; read back before the customer is deleted, since a deleted one has no metadata. */
export const scrubMark = { key: 'gdpr_status', value: 'redacted', timeKey: 'deletion_ts' } as const;
/** The literal mark of `mark_only`. */
export const literalMark = { key: 'gdpr_redacted', value: 'true', description: 'GDPR Deletion Request' } as const;

const emptied = ['name', 'email', 'phone', 'description', 'address', 'shipping'] as const;
/** Newer than some API versions: sent only to a customer that shows them. */
const emptiedWhereShown = ['individual_name', 'business_name'] as const;
const marks: readonly string[] = [scrubMark.key, scrubMark.timeKey, literalMark.key];

/** True when every text inside is absent, empty, or says itself that it was redacted. */
function isBlank(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return true;
  if (typeof value === 'string') return /^\[?redacted\]?$/iu.test(value.trim());
  if (typeof value === 'object') return Object.values(value).every(isBlank);
  return false;
}

/** Whether a customer still says anything about a person: names, addresses, free text, or any metadata except our marks. */
export function hasPersonalFields(customer: Customer): boolean {
  const own = [...emptied, ...emptiedWhereShown].some((field) => !isBlank(customer[field]));
  const invoice = !isBlank(customer.invoice_settings?.custom_fields) || !isBlank(customer.invoice_settings?.footer);
  const metadata = Object.entries(customer.metadata ?? {}).some(([key, value]) => !marks.includes(key) && !isBlank(value));
  return own || invoice || metadata;
}

/** Whether the customer shows the mark that was set. */
export function isMarked(customer: Customer, time: string): boolean {
  return customer.metadata?.[scrubMark.key] === scrubMark.value && customer.metadata[scrubMark.timeKey] === time;
}

/** The update that empties and marks: an empty string unsets a field, an empty value removes a metadata key. `time` is ISO 8601. */
export function scrubParams(customer: Customer, time: string): Stripe.CustomerUpdateParams {
  const shown = emptiedWhereShown.filter((field) => !isBlank(customer[field])).map((field) => [field, ''] as const);
  const { custom_fields: fields, footer } = customer.invoice_settings ?? {};
  const invoice = { ...(isBlank(fields) ? {} : { custom_fields: '' as const }), ...(isBlank(footer) ? {} : { footer: '' }) };
  const dropped = Object.fromEntries(Object.keys(customer.metadata ?? {}).map((key) => [key, '']));
  return {
    name: '',
    email: '',
    phone: '',
    description: '',
    address: '',
    shipping: '',
    ...Object.fromEntries(shown),
    ...(Object.keys(invoice).length === 0 ? {} : { invoice_settings: invoice }),
    metadata: { ...dropped, [scrubMark.key]: scrubMark.value, [scrubMark.timeKey]: time },
  };
}
