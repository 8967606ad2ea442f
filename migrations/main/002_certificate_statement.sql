-- What a certificate states, kept until it is issued and after, as the exact canonical text whose hash the audit log holds.
-- No identifier in plain: only commitments, which mean nothing once the request's nonce is destroyed.
CREATE TABLE certificate_statement (
  event_id uuid PRIMARY KEY,
  request_id uuid NOT NULL,
  statement text NOT NULL
);
CREATE INDEX certificate_statement_of_request ON certificate_statement (request_id, event_id);
