export { createClientCredentials, type AccessToken, type ClientCredentials, type ClientCredentialsOptions, type TokenContext } from './client-credentials.ts';
export type {
  Callback,
  Capabilities,
  ConfirmResult,
  Connection,
  Connector,
  ConnectorContext,
  Correction,
  EarlierJob,
  EraseContext,
  EraseResult,
  ExportContext,
  ExportedRecord,
  ExportPage,
  JobState,
  Json,
  Located,
  LocateResult,
  NetworkRules,
  RectifyConfirmation,
  RectifyContext,
  Rehearsal,
  RequestFacts,
  StoredWorkItem,
  WaitReason,
  WorkItem,
  Worklist,
} from './connector.ts';
export { createGuardedFetch, createNetworkTransport, networkTransport, type GuardOptions, type NetworkTransport, type ResolveAddresses, type Transport, type TransportAnswer } from './guarded-fetch.ts';
export { googleAccountSchema, createGoogleTokens, type GoogleAccount } from './google-account.ts';
export { createGoogleCalls, type GoogleCalls, type GoogleCallsOptions } from './google-calls.ts';
export { isNestedTooDeep } from './json-nesting.ts';
export { travelsInClear } from './clear-text.ts';
export {
  confirmNoObjects,
  countObjects,
  eraseObjects,
  exportObjects,
  kindsOf,
  locateObjects,
  objectTemplateSchema,
  placesOf,
  prefixTemplateSchema,
  type EraseOptions,
  type Lock,
  type ObjectContent,
  type ObjectList,
  type ObjectNames,
  type ObjectPage,
  type ObjectPlace,
  type ObjectStore,
  type Removal,
  type StoredObject,
} from './object-store/index.ts';
export { parseRetryAfter, vendorFailure } from './vendor-failure.ts';
export { Failure } from '../platform/failure.ts';
