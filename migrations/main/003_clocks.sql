-- The language in which the person is written to, where the request named one.
ALTER TABLE privacy_request ADD COLUMN language text;
-- The version of the law pack by which the request's dates were set.
ALTER TABLE privacy_request ADD COLUMN law_version text;
-- Extended: when, why (a justification of delay), and until which day where the law sets no length.
ALTER TABLE privacy_request ADD COLUMN extended_at timestamptz;
ALTER TABLE privacy_request ADD COLUMN extension_reason text;
ALTER TABLE privacy_request ADD COLUMN extended_until text;
-- When the next reminder about one of its dates is to be looked at; null where none is left.
ALTER TABLE privacy_request ADD COLUMN clock_wake_at timestamptz;
CREATE INDEX privacy_request_clock_wake ON privacy_request (clock_wake_at) WHERE clock_wake_at IS NOT NULL;

-- When a request's clock stood still, and for what.
CREATE TABLE clock_pause (
  request_id uuid NOT NULL REFERENCES privacy_request (id),
  paused_at timestamptz NOT NULL,
  resumed_at timestamptz,
  condition text NOT NULL,
  PRIMARY KEY (request_id, paused_at)
);
CREATE UNIQUE INDEX clock_pause_open ON clock_pause (request_id) WHERE resumed_at IS NULL;

-- A person appeals against the end of their request; decided by an operator.
CREATE TABLE appeal (
  request_id uuid PRIMARY KEY REFERENCES privacy_request (id),
  opened_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  -- granted | denied
  decision text,
  reason_code text,
  decided_at timestamptz,
  decided_by text,
  CONSTRAINT appeal_decided CHECK ((decision IS NULL) = (decided_at IS NULL))
);
