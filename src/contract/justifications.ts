/**
 * Why a request is refused: the terms of the Data Privacy Vocabulary's justifications (non-fulfilment), in snake case.
 * Source: https://w3id.org/dpv/justifications
 */
export const refusalReasons = [
  'identity_verification_failure',
  'process_unfounded',
  'process_excessive',
  'process_frivolous',
  'process_malicious',
  'legally_exempted',
  'legal_claim_establishment_impaired',
  'legal_claim_exercise_impaired',
  'legal_claim_defence_impaired',
  'freedom_of_expression_impaired',
  'third_party_rights_impaired',
  'confidentiality_obligation_compromised',
  'contract_performance_necessity',
  'disproportionate_effort_required',
  'entity_already_informed',
  'fulfilment_impossible',
  'public_health_compromised',
  'public_interest_archiving_impaired',
  'scientific_historical_research_impaired',
  'security_impaired',
] as const;
/** Why a request is refused. */
export type RefusalReason = (typeof refusalReasons)[number];

/** Why an answer takes longer: the same vocabulary's justifications of delay. */
export const delayReasons = ['complexity_of_process', 'high_volume_of_processes', 'identity_verification_required', 'information_required'] as const;
/** Why an answer takes longer. */
export type DelayReason = (typeof delayReasons)[number];

/** The term of the vocabulary that a code stands for, as its IRI. */
export const justificationIri = (code: RefusalReason | DelayReason): string =>
  `https://w3id.org/dpv/justifications#${code.replaceAll(/(?:^|_)([a-z])/gu, (_match, letter: string) => letter.toUpperCase())}`;
