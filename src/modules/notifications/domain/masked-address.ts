/** What anonymised rows carry in place of an address: a word for it before the sign, stars, or a domain that receives nothing. */
const masks: readonly RegExp[] = [
  /^(?:deleted|erased|removed|redacted|anonymi[sz]ed|masked|gdpr-?(?:deleted|erased))(?:[-_.+]|[-_.+]?user|@)/iu,
  /\*/u,
  /@(?:[^@]+\.)?(?:invalid|localhost)$/iu,
];

/** Whether an address looks like one that an erasure put in the place of the person's: nothing is ever sent there. */
export const isMaskedAddress = (address: string): boolean => masks.some((mask) => mask.test(address.trim()));
