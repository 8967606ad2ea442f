export type {
  Capabilities,
  ConfirmResult,
  Connection,
  Connector,
  ConnectorContext,
  EraseContext,
  EraseResult,
  ExportedRecord,
  Json,
  Located,
  LocateResult,
  StoredWorkItem,
  WaitReason,
  WorkItem,
  Worklist,
} from './connector.ts';
export { createGuardedFetch, networkTransport, type GuardOptions, type Transport, type TransportAnswer } from './guarded-fetch.ts';
export { parseRetryAfter, vendorFailure } from './vendor-failure.ts';
export { Failure } from '../platform/failure.ts';
