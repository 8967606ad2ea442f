-- The audit database: one append-only log. A superuser defeats all that stands here; the signed heads kept outside are there for that.

-- Roles belong to the whole cluster, so they may exist already. The owner cannot log in; the application appends and reads as the other one.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'quittance_audit_owner') THEN
    CREATE ROLE quittance_audit_owner NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'quittance_audit_app') THEN
    CREATE ROLE quittance_audit_app NOLOGIN;
  END IF;
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    EXECUTE format('GRANT quittance_audit_owner, quittance_audit_app TO %I', current_user);
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

CREATE SCHEMA audit;
GRANT USAGE, CREATE ON SCHEMA audit TO quittance_audit_owner;
GRANT USAGE ON SCHEMA audit TO quittance_audit_app;

-- The log and its writer's fencing epoch: whoever claims the log next shuts out everyone before.
CREATE TABLE audit.log (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  origin text NOT NULL UNIQUE,
  epoch bigint NOT NULL DEFAULT 0
);

-- Not partitioned: event_id and prev must be unique over the whole log, which a partitioned table cannot promise. Rows are only ever read by
-- seq or event_id and never removed, so a large table costs what a small one does.
CREATE TABLE audit.log_row (
  log_id integer NOT NULL REFERENCES audit.log (id),
  seq bigint NOT NULL,
  prev bytea NOT NULL,
  hash bytea NOT NULL,
  event_id uuid NOT NULL,
  entry bytea NOT NULL,
  appended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (log_id, seq),
  CONSTRAINT log_row_event_once UNIQUE (event_id),
  -- Two rows after one row would be a fork.
  CONSTRAINT log_row_no_fork UNIQUE (log_id, prev),
  CONSTRAINT log_row_hash CHECK (hash = sha256('\x00'::bytea || entry)),
  CONSTRAINT log_row_seq CHECK (seq >= 0),
  CONSTRAINT log_row_size CHECK (octet_length(entry) BETWEEN 1 AND 65535)
);

-- The Merkle tree above the rows: at level n, the hash of each full tile of 256 hashes below (c2sp.org/tlog-tiles). A proof reads O(log n) of them.
CREATE TABLE audit.tile_hash (
  log_id integer NOT NULL REFERENCES audit.log (id),
  level integer NOT NULL CHECK (level BETWEEN 1 AND 7),
  index bigint NOT NULL CHECK (index >= 0),
  hash bytea NOT NULL CHECK (octet_length(hash) = 32),
  PRIMARY KEY (log_id, level, index)
);

-- Every signed head, for ever. The key makes a second root for one size impossible.
CREATE TABLE audit.checkpoint (
  log_id integer NOT NULL REFERENCES audit.log (id),
  size bigint NOT NULL,
  root bytea NOT NULL CHECK (octet_length(root) = 32),
  note text NOT NULL,
  signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (log_id, size)
);

-- What each verification found, and when: a verification that did not run shows by its absence.
CREATE TABLE audit.verification (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  log_id integer NOT NULL REFERENCES audit.log (id),
  finished_at timestamptz NOT NULL,
  ok boolean NOT NULL,
  size bigint NOT NULL,
  grade text,
  failed_check text,
  seq bigint
);

CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'The audit log is append-only: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'QA003';
END
$$;

-- Takes the log for one writer, creating it at first, and answers the new epoch.
CREATE FUNCTION audit.claim(p_origin text) RETURNS TABLE (log_id integer, epoch bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO audit.log (origin) VALUES (p_origin) ON CONFLICT (origin) DO NOTHING;
  RETURN QUERY UPDATE audit.log AS claimed SET epoch = claimed.epoch + 1 WHERE claimed.origin = p_origin RETURNING claimed.id, claimed.epoch;
END
$$;

-- Appends rows behind the one whose hash is p_prev, and nowhere else; gives the log's new size. QA001: the epoch is over. QA002: p_prev is not last.
CREATE FUNCTION audit.append(
  p_log integer, p_epoch bigint, p_prev text, p_events uuid[], p_entries text[], p_hashes text[],
  p_tile_levels integer[], p_tile_indexes bigint[], p_tile_hashes text[]
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_size bigint;
  v_last bytea;
BEGIN
  PERFORM FROM audit.log WHERE id = p_log AND epoch = p_epoch FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'Another writer has taken the log over' USING ERRCODE = 'QA001';
  END IF;
  SELECT seq + 1, hash INTO v_size, v_last FROM audit.log_row WHERE log_id = p_log ORDER BY seq DESC LIMIT 1;
  v_size := coalesce(v_size, 0);
  v_last := coalesce(v_last, decode(repeat('00', 32), 'hex'));
  IF v_last <> decode(p_prev, 'hex') THEN
    RAISE EXCEPTION 'The rows do not continue the log' USING ERRCODE = 'QA002';
  END IF;
  INSERT INTO audit.log_row (log_id, seq, prev, hash, event_id, entry)
    SELECT p_log, v_size + ord - 1, coalesce(lag(decode(hash, 'hex')) OVER (ORDER BY ord), v_last), decode(hash, 'hex'), event_id, convert_to(entry, 'UTF8')
    FROM unnest(p_events, p_entries, p_hashes) WITH ORDINALITY AS given (event_id, entry, hash, ord);
  INSERT INTO audit.tile_hash (log_id, level, index, hash)
    SELECT p_log, level, index, decode(hash, 'hex') FROM unnest(p_tile_levels, p_tile_indexes, p_tile_hashes) AS given (level, index, hash);
  RETURN v_size + cardinality(p_events);
END
$$;

-- Keeps a signed head, which must be larger than every earlier one and not larger than the log.
CREATE FUNCTION audit.keep_checkpoint(p_log integer, p_epoch bigint, p_size bigint, p_root text, p_note text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM audit.log WHERE id = p_log AND epoch = p_epoch FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'Another writer has taken the log over' USING ERRCODE = 'QA001';
  END IF;
  IF p_size <= coalesce((SELECT max(size) FROM audit.checkpoint WHERE log_id = p_log), 0)
    OR p_size > coalesce((SELECT max(seq) + 1 FROM audit.log_row WHERE log_id = p_log), 0) THEN
    RAISE EXCEPTION 'The head does not continue the earlier ones' USING ERRCODE = 'QA002';
  END IF;
  INSERT INTO audit.checkpoint (log_id, size, root, note) VALUES (p_log, p_size, decode(p_root, 'hex'), p_note);
END
$$;

DO $$
DECLARE
  v_table text;
BEGIN
  FOREACH v_table IN ARRAY ARRAY['log_row', 'tile_hash', 'checkpoint', 'verification'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON audit.%I FOR EACH ROW EXECUTE FUNCTION audit.refuse_change()', v_table);
    EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit.%I FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', v_table);
    EXECUTE format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER refuse_change', v_table);
    EXECUTE format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER refuse_truncate', v_table);
    EXECUTE format('ALTER TABLE audit.%I ENABLE ROW LEVEL SECURITY', v_table);
    EXECUTE format('ALTER TABLE audit.%I FORCE ROW LEVEL SECURITY', v_table);
    EXECUTE format('CREATE POLICY readable ON audit.%I FOR SELECT TO quittance_audit_owner, quittance_audit_app USING (true)', v_table);
    EXECUTE format('CREATE POLICY appendable ON audit.%I FOR INSERT TO quittance_audit_owner WITH CHECK (true)', v_table);
    EXECUTE format('REVOKE ALL ON audit.%I FROM PUBLIC', v_table);
    EXECUTE format('GRANT SELECT ON audit.%I TO quittance_audit_app', v_table);
    EXECUTE format('ALTER TABLE audit.%I OWNER TO quittance_audit_owner', v_table);
  END LOOP;
END
$$;

REVOKE ALL ON audit.log FROM PUBLIC;
GRANT SELECT ON audit.log TO quittance_audit_app;
GRANT INSERT ON audit.verification TO quittance_audit_app;
CREATE POLICY recordable ON audit.verification FOR INSERT TO quittance_audit_app WITH CHECK (true);
ALTER TABLE audit.log OWNER TO quittance_audit_owner;

REVOKE ALL ON FUNCTION audit.claim(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.append(integer, bigint, text, uuid[], text[], text[], integer[], bigint[], text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit.keep_checkpoint(integer, bigint, bigint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.claim(text) TO quittance_audit_app;
GRANT EXECUTE ON FUNCTION audit.append(integer, bigint, text, uuid[], text[], text[], integer[], bigint[], text[]) TO quittance_audit_app;
GRANT EXECUTE ON FUNCTION audit.keep_checkpoint(integer, bigint, bigint, text, text) TO quittance_audit_app;
ALTER FUNCTION audit.claim(text) OWNER TO quittance_audit_owner;
ALTER FUNCTION audit.append(integer, bigint, text, uuid[], text[], text[], integer[], bigint[], text[]) OWNER TO quittance_audit_owner;
ALTER FUNCTION audit.keep_checkpoint(integer, bigint, bigint, text, text) OWNER TO quittance_audit_owner;
ALTER FUNCTION audit.refuse_change() OWNER TO quittance_audit_owner;
REVOKE CREATE ON SCHEMA audit FROM quittance_audit_owner;
