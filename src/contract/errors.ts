/** When trying the same thing again can help: never, later by itself, or only after a person has mended something. */
export type Retry = 'never' | 'later' | 'operator';

/** One row of the error table: the HTTP status it answers with, when to retry, and its title. */
export interface ErrorRow {
  readonly status: number;
  readonly retry: Retry;
  readonly title: string;
}

/**
 * Every error that Quittance answers with or records, in alphabetical order.
 * The codes are fixed: programs may switch on them; titles may be reworded.
 */
export const errorTable = {
  APPROVAL_NEEDED: { status: 409, retry: 'operator', title: 'The plan waits for approval' },
  AUDIT_INVALID: { status: 500, retry: 'operator', title: 'The audit log failed its verification' },
  BODY_MALFORMED: { status: 400, retry: 'never', title: 'The body could not be parsed' },
  BODY_TOO_LARGE: { status: 413, retry: 'never', title: 'The body is larger than accepted' },
  CERTIFICATE_NOT_READY: { status: 409, retry: 'later', title: 'The certificate is not issued yet' },
  CONFIG_INVALID: { status: 500, retry: 'operator', title: 'The configuration is not valid' },
  CONFLICT: { status: 409, retry: 'never', title: 'The request is not in a state that allows this' },
  CONNECTION_AUTH: { status: 502, retry: 'operator', title: 'The vendor refused the credentials' },
  CONNECTION_REFUSED: { status: 502, retry: 'operator', title: 'The vendor refused the call' },
  CONNECTION_SUSPENDED: { status: 503, retry: 'operator', title: 'The connection is suspended' },
  EGRESS_FORBIDDEN: { status: 500, retry: 'operator', title: 'A connector called a host outside its egress list' },
  EVENT_NOT_DELIVERED: { status: 502, retry: 'operator', title: 'An event could not be delivered to who must act on it' },
  EXPORT_FAILED: { status: 500, retry: 'operator', title: 'The package of an export could not be made' },
  EXPORT_NOT_DELETED: { status: 500, retry: 'operator', title: 'The storage refuses to delete the package of an export' },
  EXPORT_NOT_DELIVERED: { status: 409, retry: 'operator', title: 'The person could not be told where their copy is' },
  IDEMPOTENCY_KEY_REUSED: { status: 422, retry: 'never', title: 'The idempotency key was used with another payload' },
  IDENTIFIER_INVALID: { status: 400, retry: 'never', title: 'An identifier is not valid' },
  IDENTIFIER_MISSING: { status: 400, retry: 'never', title: 'Nothing in the request identifies a person' },
  INTERNAL: { status: 500, retry: 'later', title: 'An internal error happened' },
  KEY_DESTROYED: { status: 410, retry: 'never', title: 'The key was destroyed, the data is gone' },
  KEY_UNAVAILABLE: { status: 503, retry: 'operator', title: 'The key cannot be read' },
  LAW_FORBIDS: { status: 409, retry: 'never', title: 'The law that applies does not allow this' },
  MANUAL_STEP: { status: 409, retry: 'operator', title: 'A person has to do this by hand' },
  MASK_NOT_UNIQUE: { status: 409, retry: 'operator', title: 'The value that should replace another is taken already' },
  MESSAGES_LOST: { status: 502, retry: 'operator', title: 'A bus gave up messages before they were read' },
  NOT_FOUND: { status: 404, retry: 'never', title: 'There is no such resource' },
  NOTHING_MATCHED: { status: 409, retry: 'operator', title: 'The system holds nothing under an identifier that resolution saw there' },
  RATE_LIMITED: { status: 429, retry: 'later', title: 'Too many requests' },
  RECIPIENT_NOT_TOLD: { status: 409, retry: 'operator', title: 'A recipient of the data was not told of what became of it' },
  SIGNATURE_INVALID: { status: 401, retry: 'never', title: 'The signature is not valid' },
  SIGNATURE_STALE: { status: 401, retry: 'never', title: 'The timestamp is outside the accepted window' },
  STILL_PRESENT: { status: 409, retry: 'operator', title: 'The vendor reported success and the data is still there' },
  STORAGE_REFUSED: { status: 502, retry: 'operator', title: 'The storage of exports refused' },
  STORAGE_UNAVAILABLE: { status: 503, retry: 'later', title: 'The storage of exports cannot be reached' },
  SUBJECT_AMBIGUOUS: { status: 409, retry: 'operator', title: 'The system answered with a person that was not resolved' },
  TASK_WINDOW_PASSED: { status: 409, retry: 'operator', title: 'The task was not settled within its window' },
  UNAUTHORIZED: { status: 401, retry: 'never', title: 'Authentication is required' },
  UNSUPPORTED: { status: 409, retry: 'operator', title: 'The system cannot do this' },
  VALIDATION_FAILED: { status: 400, retry: 'never', title: 'A field is not valid' },
  VENDOR_INCONSISTENT: { status: 502, retry: 'operator', title: 'The vendor answered the same request in two ways that exclude each other' },
  VENDOR_JOB_FAILED: { status: 502, retry: 'operator', title: 'The vendor did not finish the work that it had accepted' },
  VENDOR_MALFORMED: { status: 502, retry: 'later', title: 'The vendor answered with something that cannot be read' },
  VENDOR_RATE_LIMITED: { status: 503, retry: 'later', title: 'The vendor asked to slow down' },
  VENDOR_TIMEOUT: { status: 504, retry: 'later', title: 'The vendor did not answer in time' },
  VENDOR_UNAVAILABLE: { status: 502, retry: 'later', title: 'The vendor answered with an error of its own' },
  VERIFICATION_FAILED: { status: 403, retry: 'never', title: 'The proof of identity was not accepted' },
} as const satisfies Record<string, ErrorRow>;

/** The code of an error in `errorTable`. */
export type ErrorCode = keyof typeof errorTable;
