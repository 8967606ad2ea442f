import type { Correction } from '../../connector-kit/index.ts';
import type { RequestId } from '../../contract/ids.ts';
import type { RequestStatus, Right, Verdict } from '../../contract/outcomes.ts';
import type { NewIdentifier, VerificationMethod } from '../identity/index.ts';

/** A request as it arrives from a source: normalised, and of nobody yet. */
export interface IncomingRequest {
  /** The source's name, or `api:<key name>`. */
  readonly source: string;
  /** The caller's own id of this request: webhook id or idempotency key. */
  readonly sourceId: string;
  /** A keyed hash of the body, to tell a repetition from another request under the same id. */
  readonly payloadHash: Buffer;
  readonly right: Right;
  /** ISO 3166: `DE`, `US-CA`. */
  readonly jurisdiction: string | undefined;
  /** At least one; in normal form, `foundBy: 'given'`. */
  readonly identifiers: readonly NewIdentifier[];
  /** How it is proven who the person is; `source` when the source has verified them already. */
  readonly verification: 'source' | VerificationMethod;
  /** For `proof`: what the verification service is to match with the person. */
  readonly proof?: string;
  /** For a rectification: what is to be put right. */
  readonly corrections?: readonly Correction[];
  /** In which language the person is written to: `de`, `pt-BR`. */
  readonly language?: string | undefined;
  /** The connections that it is limited to; all of them when absent. */
  readonly systems?: readonly string[];
}

/** What the API shows of a request: nothing of the person. */
export interface RequestSummary {
  readonly id: RequestId;
  /** For people: `Q-7K3M-9D2F`. */
  readonly reference: string;
  readonly status: RequestStatus;
  readonly right: Right;
  readonly jurisdiction: string | null;
  readonly law: string;
  readonly source: string;
  readonly verdict: Verdict | null;
  readonly reason_code: string | null;
  readonly duplicate_of: RequestId | null;
  /** Of a copy: the erasure of the same person that had begun when this came, and what was erased by it is in no copy. */
  readonly erased_under: RequestId | null;
  readonly limited_to: readonly string[] | null;
  readonly received_at: string;
  readonly verified_at: string | null;
  readonly due_at: string;
  readonly extended_at: string | null;
  readonly closed_at: string | null;
  readonly language: string | null;
}

/** What became of an incoming request: a new one, or the answer that the same one got before. */
export interface Opened {
  readonly created: boolean;
  readonly request: RequestSummary;
}
