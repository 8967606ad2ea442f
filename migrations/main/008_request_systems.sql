-- Requests that are limited to some systems, and messages that come in from event buses.

-- The connections that a request is limited to: the others are not asked, and its certificate says so. Null for all of them.
ALTER TABLE privacy_request ADD COLUMN systems text[];

-- The newest request that a profile was named to by POST /v1/destinations/profiles, so that naming it again opens no second one. Gone a while after that request has ended.
CREATE TABLE profile_job (
  -- A keyed hash of the action and the profile's id.
  subject bytea PRIMARY KEY,
  request_id uuid NOT NULL REFERENCES privacy_request (id)
);

-- How far a partition of a topic has been read. The broker is not asked: what was accepted and how far that is are in one database.
CREATE TABLE bus_position (
  source text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL,
  PRIMARY KEY (source, topic, partition)
);

-- Messages that can never be accepted: where they are on their bus, and a code. Nothing of what they say.
CREATE TABLE bus_refusal (
  source text NOT NULL,
  -- pubsub:<messageId>, kafka:<topic>/<partition>/<offset>
  place text NOT NULL,
  code text NOT NULL,
  refused_at timestamptz NOT NULL,
  PRIMARY KEY (source, place)
);
CREATE INDEX bus_refusal_at ON bus_refusal (refused_at);
