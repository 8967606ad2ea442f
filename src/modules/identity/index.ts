export { createVault, type VaultDeps } from './create-vault.ts';
export { createMapping, type Mapping, type MappingClosure, type MappingDeps } from './mapping.ts';
export { createSuppressionLedger, type SuppressionDeps, type SuppressionLedger } from './suppression.ts';
export { createVerification, verificationMethodFor, type Verification, type VerificationDeps } from './verification.ts';
export { normalise, type NormalForm, type NormalFormOptions } from './domain/normal-forms.ts';
export type { CodeVerdict } from './domain/one-time-code.ts';
export type { VerificationMethod } from './tables.ts';
export type { DescribedIdentifier, NewIdentifier, OpenVault, PreparedVault, Vault, VaultIdentifier } from './vault.ts';
