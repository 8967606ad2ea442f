-- The operational database. Nothing of a person in plain: identifiers only in subject_identity, sealed under the request's data key.

-- Keys that Quittance has for itself, wrapped by the master key.
CREATE TABLE system_key (
  name text PRIMARY KEY,
  master_key_id text NOT NULL,
  wrapped bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- requests ---------------------------------------------------------------------------------------------------------------------------

-- Not partitioned: requests are found by id and by status, live 30 to 90 days, and a million of them are a small table.
CREATE TABLE privacy_request (
  id uuid PRIMARY KEY,
  reference text NOT NULL UNIQUE,
  source text NOT NULL,
  -- The caller's own id of the request (webhook id or idempotency key), as a keyed hash: callers put anything there.
  source_id bytea NOT NULL,
  -- A hash of the payload, so that a reused id with another payload is told apart from a repetition.
  payload_hash bytea NOT NULL,
  request_right text NOT NULL,
  jurisdiction text,
  law text NOT NULL,
  status text NOT NULL,
  verdict text,
  reason_code text,
  -- The open request of the same person that this one repeats; it is answered with that one's outcome.
  duplicate_of uuid REFERENCES privacy_request (id),
  -- Whether the source, or the verification service, answers for all that was given; otherwise a code proved one address or number and nothing else.
  vouched boolean NOT NULL,
  -- When the request came to where it stands.
  moved_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  verified_at timestamptz,
  -- How: source, email_code, sms_code, proof, operator.
  verified_by text,
  planned_at timestamptz,
  closed_at timestamptz,
  -- When the request must be looked at next, whatever happens; null only where nothing is left to do.
  wake_at timestamptz,
  -- Attempts of the current step (resolution, certificate), for backoff.
  attempt integer NOT NULL DEFAULT 0,
  -- Counts every change, so that a follower sees that there is one.
  version integer NOT NULL DEFAULT 1,
  -- Certificate bytes, once issued; they hold no identifier in plain.
  certificate bytea,
  CONSTRAINT privacy_request_source_once UNIQUE (source, source_id),
  CONSTRAINT privacy_request_wakes CHECK (wake_at IS NOT NULL OR status IN ('closed', 'rejected', 'withdrawn', 'expired'))
);
CREATE INDEX privacy_request_wake ON privacy_request (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX privacy_request_duplicate ON privacy_request (duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX privacy_request_listed ON privacy_request (received_at DESC, id DESC);
CREATE INDEX privacy_request_of_status ON privacy_request (status, received_at DESC, id DESC);

-- identity ---------------------------------------------------------------------------------------------------------------------------

-- One data key per request. Destroying it (wrapped = null, destroyed_at set) makes everything sealed under it unreadable: here, and in a backup
-- for who does not have both an older backup of this row and the master key.
CREATE TABLE request_key (
  request_id uuid PRIMARY KEY REFERENCES privacy_request (id),
  master_key_id text NOT NULL,
  wrapped bytea,
  created_at timestamptz NOT NULL DEFAULT now(),
  destroyed_at timestamptz,
  CONSTRAINT request_key_destroyed CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
-- The planner's statistics keep samples of a column's values, also of keys that were destroyed since.
ALTER TABLE request_key ALTER COLUMN wrapped SET STATISTICS 0;
-- Which keys are under which master key: counted by its operators, and walked through when they are brought under another.
CREATE INDEX request_key_wrapped ON request_key (master_key_id, request_id) WHERE destroyed_at IS NULL;

-- The identity vault. Personal data is here, in task.cursor and work_item (vendors' names of the person's objects), and in identity_mapping,
-- and nowhere else; always sealed.
CREATE TABLE subject_identity (
  id uuid PRIMARY KEY,
  request_id uuid NOT NULL REFERENCES privacy_request (id),
  kind text NOT NULL,
  -- Sealed {value, raw}: the normal form and the form that was given.
  sealed bytea NOT NULL,
  -- HMAC of the normal form under the lookup key: finds open requests of the same person. Deleted with the row at shredding.
  lookup bytea NOT NULL,
  -- HMAC of the normal form under the request's nonce: what the audit log and the certificate name the identifier by.
  commitment bytea NOT NULL,
  -- How it was found: given | mapping | connection:<name>
  found_by text NOT NULL,
  via uuid,
  confidence real NOT NULL,
  -- Connections that know this identifier.
  seen_in text[] NOT NULL DEFAULT '{}',
  found_at timestamptz NOT NULL,
  CONSTRAINT subject_identity_once UNIQUE (request_id, lookup)
);
CREATE INDEX subject_identity_lookup ON subject_identity (lookup);

-- The code itself is stored nowhere: it is derived from the token key, the request and how often it was sent.
CREATE TABLE verification (
  request_id uuid PRIMARY KEY REFERENCES privacy_request (id),
  -- Whose request it is: failed proofs are limited for each source too.
  source text NOT NULL,
  -- email_code, sms_code, proof or operator.
  method text NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  -- Codes sent, or proofs given.
  sent_count integer NOT NULL DEFAULT 0,
  expires_at timestamptz NOT NULL,
  verified_at timestamptz,
  -- A proof that the verification service has not judged yet, sealed under the request's data key; it is not kept beyond that.
  proof bytea,
  -- A keyed hash of the newest proof, or of the code that a service of others judged right: to know it when it comes again.
  given_hash bytea,
  -- How often the service was asked about this proof, and when it is to be asked next.
  asked integer NOT NULL DEFAULT 0,
  wake_at timestamptz,
  CONSTRAINT verification_wakes CHECK ((wake_at IS NULL) = (proof IS NULL))
);
CREATE INDEX verification_wake ON verification (wake_at) WHERE wake_at IS NOT NULL;
-- The planner's statistics would keep samples of proofs that were judged since.
ALTER TABLE verification ALTER COLUMN proof SET STATISTICS 0;

-- How many proofs failed for each source in the hour that began with the first of them.
CREATE TABLE failed_proof (
  source text PRIMARY KEY,
  since timestamptz NOT NULL,
  count integer NOT NULL
);

-- Imported from CSV: which identifiers belong to one person. Values sealed under the mapping key, found by keyed hash.
CREATE TABLE identity_mapping (
  row_id uuid NOT NULL,
  kind text NOT NULL,
  lookup bytea NOT NULL,
  sealed bytea NOT NULL,
  PRIMARY KEY (row_id, kind, lookup)
);
CREATE INDEX identity_mapping_lookup ON identity_mapping (lookup);
ALTER TABLE identity_mapping ALTER COLUMN sealed SET STATISTICS 0;

-- Who was erased, as keyed hashes: for restores, imports and new sign-ups.
CREATE TABLE suppression (
  hash bytea PRIMARY KEY,
  kind text NOT NULL,
  -- Not of which request: the ledger must not lead from a guessed address to what is left of a request.
  added_at timestamptz NOT NULL
);

-- intake -----------------------------------------------------------------------------------------------------------------------------

-- Webhook ids that were seen, with the answer that was given: replayed ids get the first answer. Swept after the retention of the source.
CREATE TABLE intake_replay (
  source text NOT NULL,
  message_id bytea NOT NULL,
  payload_hash bytea NOT NULL,
  status integer NOT NULL,
  answer jsonb NOT NULL,
  seen_at timestamptz NOT NULL,
  PRIMARY KEY (source, message_id)
);
CREATE INDEX intake_replay_seen ON intake_replay (seen_at);

-- One row per limited thing (a source, a connection, a verification): the theoretical arrival time of the generic cell rate algorithm.
CREATE TABLE rate_limit (
  name text PRIMARY KEY,
  arrives_at timestamptz NOT NULL
);

-- connections ------------------------------------------------------------------------------------------------------------------------

CREATE TABLE connection_state (
  name text PRIMARY KEY,
  suspended_at timestamptz,
  suspended_reason text,
  consecutive_failures integer NOT NULL DEFAULT 0,
  -- The circuit is open until then; the first call after it is the probe.
  open_until timestamptz
);

-- Who holds one of a connection's places; a place whose lease ran out is free.
CREATE TABLE connection_lease (
  connection text NOT NULL,
  task_id uuid NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (connection, task_id)
);

-- orchestration ----------------------------------------------------------------------------------------------------------------------

CREATE TABLE task (
  id uuid PRIMARY KEY,
  request_id uuid NOT NULL REFERENCES privacy_request (id),
  connection text NOT NULL,
  connector text NOT NULL,
  identifier_id uuid NOT NULL,
  identifier_kind text NOT NULL,
  -- The identifier's commitment, by which the log and the plan name it.
  commitment text NOT NULL,
  action text NOT NULL,
  decision text NOT NULL,
  status text NOT NULL,
  outcome text,
  confirmation text,
  -- Tasks that must be settled first, or with a person.
  after uuid[] NOT NULL DEFAULT '{}',
  seen_here boolean NOT NULL,
  counts jsonb NOT NULL DEFAULT '{}',
  residue jsonb NOT NULL DEFAULT '[]',
  proof jsonb NOT NULL DEFAULT '{}',
  -- Sealed under the request's data key: a cursor names a vendor's objects.
  cursor bytea,
  -- The cursor with which the task went to a person, for the retry that they ask for. Sealed likewise.
  cursor_before bytea,
  vendor_job text,
  -- Whether the task waits for that job's end.
  vendor_job_open boolean NOT NULL DEFAULT false,
  -- When its vendor was last asked for that job beside the task's own looks, and what came of it that is not to come of it again.
  reconciled_at timestamptz,
  reconciled_state text,
  progress_done integer,
  progress_total integer,
  error_code text,
  -- Attempts of the current step, reset when a step succeeds; attempts in all.
  attempt integer NOT NULL DEFAULT 0,
  attempts_total integer NOT NULL DEFAULT 0,
  confirm_count integer NOT NULL DEFAULT 0,
  -- Fences stale workers: each start of a step takes the next epoch, and only its holder may write.
  epoch integer NOT NULL DEFAULT 0,
  lease_until timestamptz,
  -- Due, but its connection had no place free: woken by the next task that gives one back.
  queued boolean NOT NULL DEFAULT false,
  wake_at timestamptz,
  latest_safe_start timestamptz NOT NULL,
  dispatched_at timestamptz,
  window_ends_at timestamptz,
  settled_at timestamptz,
  revisit_at timestamptz,
  created_at timestamptz NOT NULL,
  CONSTRAINT task_once UNIQUE (request_id, connection, identifier_id, action),
  CONSTRAINT task_wakes CHECK (wake_at IS NOT NULL OR status IN ('settled', 'manual'))
);
CREATE INDEX task_wake ON task (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX task_of_request ON task (request_id);
CREATE INDEX task_of_connection ON task (connection) WHERE status NOT IN ('settled', 'manual');
-- For callbacks, and for the reconciliation: the jobs of a connection that are not over, and those that are not for long.
CREATE INDEX task_of_vendor_job ON task (connection, vendor_job) WHERE vendor_job IS NOT NULL;
CREATE INDEX task_to_reconcile ON task (connection, reconciled_at NULLS FIRST) WHERE vendor_job IS NOT NULL AND status <> 'settled';
CREATE INDEX task_settled_lately ON task (connection, settled_at) WHERE vendor_job IS NOT NULL AND status = 'settled';
CREATE INDEX task_queued ON task (connection, created_at, id) WHERE queued;

-- Every attempt of a step: the intent before the call, the result after it. Deleted with the request's vault after the grace period, so it
-- stays as large as the requests in progress and needs no partitions.
CREATE TABLE attempt (
  task_id uuid NOT NULL REFERENCES task (id),
  number integer NOT NULL,
  step text NOT NULL,
  epoch integer NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  result text,
  error_code text,
  PRIMARY KEY (task_id, number)
);

-- Objects collected by a long erasure; refs sealed under the request's data key, made unique by keyed hash.
CREATE TABLE work_item (
  task_id uuid NOT NULL REFERENCES task (id),
  ordinal bigint GENERATED ALWAYS AS IDENTITY,
  type text NOT NULL,
  ref_hash bytea NOT NULL,
  sealed bytea NOT NULL,
  state text NOT NULL DEFAULT 'open',
  due_at timestamptz,
  PRIMARY KEY (task_id, ordinal),
  CONSTRAINT work_item_once UNIQUE (task_id, ref_hash)
);
CREATE INDEX work_item_open ON work_item (task_id, ordinal) WHERE state = 'open';

CREATE TABLE manual_task (
  id uuid PRIMARY KEY,
  request_id uuid NOT NULL REFERENCES privacy_request (id),
  task_id uuid REFERENCES task (id),
  reason_code text NOT NULL,
  opened_at timestamptz NOT NULL,
  remind_at timestamptz,
  settled_at timestamptz,
  settled_by text,
  settled_how text
);
CREATE UNIQUE INDEX manual_task_open ON manual_task (task_id) WHERE settled_at IS NULL;
CREATE INDEX manual_task_waiting ON manual_task (remind_at) WHERE settled_at IS NULL;
CREATE INDEX manual_task_of_request ON manual_task (request_id);
CREATE INDEX manual_task_listed ON manual_task (opened_at);
CREATE INDEX manual_task_open_listed ON manual_task (opened_at) WHERE settled_at IS NULL;

-- notifications ----------------------------------------------------------------------------------------------------------------------

CREATE TABLE notification (
  id uuid PRIMARY KEY,
  request_id uuid REFERENCES privacy_request (id),
  template text NOT NULL,
  -- subject | dpo | dpo_webhook | dpo_chat
  recipient text NOT NULL,
  -- One notification of a kind for each request, occasion and recipient.
  occasion text NOT NULL,
  created_at timestamptz NOT NULL,
  sent_at timestamptz,
  attempts integer NOT NULL DEFAULT 0,
  error_code text,
  wake_at timestamptz,
  -- What is about no request is said once for each occasion too.
  CONSTRAINT notification_once UNIQUE NULLS NOT DISTINCT (request_id, template, occasion, recipient)
);
CREATE INDEX notification_wake ON notification (wake_at) WHERE wake_at IS NOT NULL;

-- audit ------------------------------------------------------------------------------------------------------------------------------

-- Written in the same transaction as what it records; a single writer carries it to the audit database, in order of id.
CREATE TABLE audit_outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id uuid NOT NULL UNIQUE,
  request_id uuid,
  entry jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  delivered_at timestamptz
);
CREATE INDEX audit_outbox_of_request ON audit_outbox (request_id, id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_outbox_undelivered ON audit_outbox (id) WHERE delivered_at IS NULL;
