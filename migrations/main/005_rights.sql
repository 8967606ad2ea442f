-- The rights beyond erasure.

-- What a person asks to be put right, sealed under the request's data key; destroyed with it.
CREATE TABLE request_correction (
  request_id uuid PRIMARY KEY REFERENCES privacy_request (id),
  sealed bytea NOT NULL
);
-- The planner's statistics would keep samples of what was destroyed since.
ALTER TABLE request_correction ALTER COLUMN sealed SET STATISTICS 0;

-- Who must not be processed for what, as keyed hashes: it outlives the request, which it must not lead to. A right once exercised holds until it is lifted.
CREATE TABLE restriction (
  hash bytea NOT NULL,
  kind text NOT NULL,
  request_right text NOT NULL,
  since timestamptz NOT NULL,
  lifted_at timestamptz,
  PRIMARY KEY (hash, request_right)
);
