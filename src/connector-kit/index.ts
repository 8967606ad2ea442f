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
export { createGuardedFetch, createNetworkTransport, networkTransport, type GuardOptions, type ResolveAddresses, type Transport, type TransportAnswer } from './guarded-fetch.ts';
export { isNestedTooDeep } from './json-nesting.ts';
export { travelsInClear } from './clear-text.ts';
export { parseRetryAfter, vendorFailure } from './vendor-failure.ts';
export { Failure } from '../platform/failure.ts';
