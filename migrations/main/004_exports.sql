-- exports ----------------------------------------------------------------------------------------------------------------------------

-- Every object in the export store, from before it is written until its deletion was confirmed: what is there has a row here. An object's name is
-- random and says nothing.
CREATE TABLE export_object (
  name text PRIMARY KEY,
  request_id uuid NOT NULL REFERENCES privacy_request (id),
  made_at timestamptz NOT NULL,
  -- When it is to be deleted; null while it is kept. One that is being written is to be deleted unless it is kept in time.
  delete_at timestamptz,
  -- Deletions that the storage refused.
  refusals integer NOT NULL DEFAULT 0
);
CREATE INDEX export_object_delete ON export_object (delete_at) WHERE delete_at IS NOT NULL;
CREATE INDEX export_object_of_request ON export_object (request_id);

-- One page of what a system gave: the index, while the records themselves are sealed in the export store.
CREATE TABLE export_part (
  task_id uuid NOT NULL,
  ordinal integer NOT NULL,
  request_id uuid NOT NULL REFERENCES privacy_request (id),
  connection text NOT NULL,
  object_name text NOT NULL REFERENCES export_object (name),
  -- Records of each type.
  counts jsonb NOT NULL,
  PRIMARY KEY (task_id, ordinal)
);
CREATE INDEX export_part_of_request ON export_part (request_id, connection, task_id, ordinal);

-- The newest worker that kept or dropped pages of a task, by its epoch: one that was overtaken changes nothing any more.
CREATE TABLE export_task (
  task_id uuid PRIMARY KEY,
  request_id uuid NOT NULL REFERENCES privacy_request (id),
  epoch integer NOT NULL
);
CREATE INDEX export_task_of_request ON export_task (request_id);

CREATE TABLE export_package (
  request_id uuid PRIMARY KEY REFERENCES privacy_request (id),
  -- making | ready | stale (pages came after it was made) | failed | ended
  state text NOT NULL,
  state_at timestamptz NOT NULL,
  -- The time that the package states; a making that begins again states the same.
  generated_at timestamptz NOT NULL,
  -- Fences a making that was overtaken by another: only the last one that began may finish. Leases go by the database's clock.
  epoch integer NOT NULL DEFAULT 0,
  lease_until timestamptz,
  attempts integer NOT NULL DEFAULT 0,
  error_code text,
  -- While it is being made: when to look whether somebody does.
  wake_at timestamptz,
  object_name text REFERENCES export_object (name),
  -- age | storage
  encryption text,
  -- The secret of the age identity made for this package, sealed under the request's data key.
  identity bytea,
  bytes bigint,
  records bigint,
  -- Counts by category, and what was noticed: codes and names of the configuration.
  summary jsonb NOT NULL DEFAULT '{}',
  copies_before integer,
  expires_at timestamptz,
  -- Why it went: expired | revoked | shredded.
  ended_why text,
  -- The link: a keyed derivation of this number, stored as its hash only.
  link_number integer NOT NULL DEFAULT 0,
  token_hash bytea UNIQUE,
  -- The code itself is stored nowhere, as in verification.
  code_number integer NOT NULL DEFAULT 0,
  code_attempts integer NOT NULL DEFAULT 0,
  code_expires_at timestamptz,
  code_used boolean NOT NULL DEFAULT false,
  codes_since timestamptz,
  codes_in_window integer NOT NULL DEFAULT 0,
  downloads integer NOT NULL DEFAULT 0,
  downloaded_at timestamptz,
  CONSTRAINT export_package_wakes CHECK ((wake_at IS NOT NULL) = (state = 'making')),
  CONSTRAINT export_package_ready CHECK (state <> 'ready' OR (object_name IS NOT NULL AND expires_at IS NOT NULL AND token_hash IS NOT NULL))
);
CREATE INDEX export_package_wake ON export_package (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX export_package_expiry ON export_package (expires_at) WHERE state <> 'ended' AND expires_at IS NOT NULL;
-- The planner's statistics would keep samples of secrets that were destroyed since.
ALTER TABLE export_package ALTER COLUMN identity SET STATISTICS 0;

-- Copies handed out, by a keyed hash of who they are for and not by request: to tell the first copy from a repetition. Swept after a year.
CREATE TABLE export_copy (
  hash bytea NOT NULL,
  made_at timestamptz NOT NULL,
  PRIMARY KEY (hash, made_at)
);
CREATE INDEX export_copy_made ON export_copy (made_at);
