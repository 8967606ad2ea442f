import type { Correction } from '../../connector-kit/index.ts';
import type { IdentifierId, RequestId } from '../../contract/ids.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { Tx } from '../../platform/db/database.ts';

/** An identifier about to enter the vault. */
export interface NewIdentifier extends Identifier {
  /** `given`, `mapping`, or `connection:<name>`. */
  readonly foundBy: string;
  readonly via?: IdentifierId;
  /** 0 to 1. */
  readonly confidence: number;
  /** Connections that were seen to know it. */
  readonly seenIn?: readonly string[];
}

/** An identifier in the vault, opened. Lives in memory only. */
export interface VaultIdentifier extends Identifier {
  readonly id: IdentifierId;
  readonly raw: string | undefined;
  readonly foundBy: string;
  readonly via: IdentifierId | undefined;
  readonly confidence: number;
  readonly seenIn: readonly string[];
  /** Hex of HMAC-SHA-256(nonce of the request, `kind:normal form`): what the log and the certificate name it by. */
  readonly commitment: string;
}

/** The same without values: what may be shown. */
export interface DescribedIdentifier {
  readonly id: IdentifierId;
  readonly kind: Identifier['kind'];
  readonly found_by: string;
  readonly via: IdentifierId | null;
  readonly confidence: number;
  readonly seen_in: readonly string[];
  readonly commitment: string;
}

/** A request's vault, opened with its data key. */
export interface OpenVault {
  readonly requestId: RequestId;
  /** 32 bytes, derived from the data key and so destroyed with it; given to the person. */
  readonly nonce: Buffer;
  /** In the order in which they were found. */
  readonly identifiers: readonly VaultIdentifier[];
  /** Reads what is to be put right; none where the request asks for something else. */
  readonly readCorrections: () => Promise<readonly Correction[]>;
  /** Seals something else of the person (a cursor, a collected object) under the request's data key, bound to `context`. */
  readonly seal: (plain: Buffer, context: string) => Buffer;
  readonly open: (sealed: Uint8Array, context: string) => Buffer;
  /** HMAC-SHA-256 under the nonce. */
  readonly mac: (text: string) => Buffer;
}

/** A data key made before the transaction in which its request is stored, since wrapping may call a key service. */
export interface PreparedVault {
  readonly dataKey: Buffer;
  readonly wrapped: { readonly masterKeyId: string; readonly bytes: Buffer };
  readonly requestId: RequestId;
}

/** The identity vault: the only place where a person is kept. */
export interface Vault {
  readonly prepare: (requestId: RequestId) => Promise<PreparedVault>;
  /** Seals something else of a person whose request is being opened, as `OpenVault.seal` does later. */
  readonly seal: (prepared: PreparedVault, plain: Buffer, context: string) => Buffer;
  /** Stores the key and the first identifiers, in the transaction that stores the request. */
  readonly create: (tx: Tx, prepared: PreparedVault, identifiers: readonly NewIdentifier[], corrections?: readonly Correction[]) => Promise<void>;
  /** Opens a request's vault. `KEY_DESTROYED` after shredding, `KEY_UNAVAILABLE` when the master key is another. */
  readonly unlock: (requestId: RequestId) => Promise<OpenVault>;
  /** Adds what is new and merges `seenIn` of what is known; answers the ids of the new ones. Idempotent. */
  readonly add: (tx: Tx, vault: OpenVault, identifiers: readonly NewIdentifier[]) => Promise<readonly IdentifierId[]>;
  /** What is in it, without values; empty after shredding. Inside a transaction, what that transaction sees. */
  readonly describe: (requestId: RequestId, tx?: Tx) => Promise<readonly DescribedIdentifier[]>;
  /**
   * Requests not shredded yet whose given identifiers include all of these, oldest first, at most 1,000. What has ended and still has its
   * vault (the grace period) is among them: the requests module, which knows the states, drops it. Inside a transaction, what that transaction sees.
   */
  readonly findOpenRequests: (identifiers: readonly Identifier[], tx?: Tx) => Promise<readonly RequestId[]>;
  /**
   * Requests not shredded yet that share with this one an identifier that was given and is proven in both, at most 1,000; what has ended is among them.
   */
  readonly findSharing: (requestId: RequestId, tx?: Tx) => Promise<readonly RequestId[]>;
  /** Destroys the data key and deletes the identifiers and the imported mapping rows of the person. Idempotent. */
  readonly shred: (tx: Tx, requestId: RequestId, mapping: readonly string[]) => Promise<void>;
}
