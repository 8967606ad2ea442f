-- Recipients of a person's data, who are told of what a right came to (Art. 19 GDPR), and copies that came too late for what was erased.

-- Whom a restriction was told to, by their codes in the configuration: they are told when it is lifted.
ALTER TABLE restriction ADD COLUMN told text[] NOT NULL DEFAULT '{}';

-- Whom a notice is about that belongs to no request, sealed under a system key; gone as soon as the notice is sent or given up.
CREATE TABLE notice_subject (
  notification_id uuid PRIMARY KEY REFERENCES notification (id),
  sealed bytea NOT NULL
);
-- The planner's statistics would keep samples of what was deleted since.
ALTER TABLE notice_subject ALTER COLUMN sealed SET STATISTICS 0;

-- The erasure of the same person that had begun when this request of a copy came: what it erased is in no copy.
ALTER TABLE privacy_request ADD COLUMN erased_under uuid REFERENCES privacy_request (id);
