-- Privacy events on their way to whom they are meant for. Not partitioned: what is older than it is kept for is deleted in small batches, a day's worth each day.

-- What happened, in codes, ids and counts. Moves of one request are in the order of their transactions, since each of these locks it; what two of its tasks
-- do at the same moment may stand in either order.
CREATE TABLE event (
  id uuid PRIMARY KEY,
  seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  type text NOT NULL,
  request_id uuid,
  at timestamptz NOT NULL,
  detail jsonb NOT NULL
);
CREATE INDEX event_at ON event (at, seq);
CREATE INDEX event_request ON event (request_id, seq);
CREATE INDEX event_type ON event (type, seq);

-- One event for one target of one rule. `lane` is what keeps its order: the request, or the event itself where it is about none.
CREATE TABLE event_delivery (
  id uuid PRIMARY KEY,
  event_id uuid NOT NULL REFERENCES event (id) ON DELETE CASCADE,
  seq bigint NOT NULL,
  lane uuid NOT NULL,
  rule text NOT NULL,
  target text NOT NULL,
  destination text NOT NULL,
  -- 0 for the first; each replay makes another.
  round integer NOT NULL DEFAULT 0,
  status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'delivered', 'dead')),
  attempts integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL,
  next_at timestamptz NOT NULL,
  ended_at timestamptz,
  code text,
  reference text,
  needs_acknowledgement boolean NOT NULL DEFAULT false,
  acknowledged_at timestamptz,
  acknowledged_by text,
  acknowledged_as text,
  UNIQUE (event_id, rule, target, round)
);
CREATE INDEX event_delivery_next ON event_delivery (destination, next_at) WHERE status = 'waiting';
CREATE INDEX event_delivery_order ON event_delivery (destination, seq, id) WHERE status = 'waiting';
CREATE INDEX event_delivery_lane ON event_delivery (destination, lane, seq) WHERE status = 'waiting';
CREATE INDEX event_delivery_request ON event_delivery (lane) WHERE status = 'waiting';
CREATE INDEX event_delivery_dead ON event_delivery (destination, seq) WHERE status = 'dead';

CREATE INDEX event_delivery_unacknowledged ON event_delivery (id) WHERE needs_acknowledgement AND acknowledged_at IS NULL;

-- Who sends to a destination: one process at a time, for as long as its lease holds. `epoch` fences out one that was overtaken.
CREATE TABLE event_destination (
  name text PRIMARY KEY,
  epoch bigint NOT NULL DEFAULT 0,
  lease_until timestamptz,
  failures integer NOT NULL DEFAULT 0,
  paused_until timestamptz,
  disabled_at timestamptz,
  disabled_code text
);

-- Events of a time to be sent once more by one rule; goes on after a crash from its place.
CREATE TABLE event_replay (
  id uuid PRIMARY KEY,
  rule text NOT NULL,
  target text,
  only_dead boolean NOT NULL,
  from_at timestamptz NOT NULL,
  to_at timestamptz NOT NULL,
  after_seq bigint NOT NULL DEFAULT 0,
  looked_at bigint NOT NULL DEFAULT 0,
  sent bigint NOT NULL DEFAULT 0,
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL,
  done_at timestamptz
);
