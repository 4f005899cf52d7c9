-- The log. Every key starts with the log, so that the table can be partitioned or distributed by it.
CREATE TABLE log_head (
    log         uuid PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('dataset', 'installation', 'security')),
    head        bigint NOT NULL,
    chain       bytea NOT NULL,
    recorded_at timestamptz NOT NULL
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

CREATE TABLE log_event (
    log            uuid NOT NULL,
    "offset"       bigint NOT NULL,
    stream         text COLLATE "C" NOT NULL,
    version        bigint NOT NULL,
    event_id       uuid NOT NULL,
    type           text NOT NULL,
    schema_version smallint NOT NULL,
    data           jsonb NOT NULL,
    author         uuid NOT NULL,
    author_kind    text NOT NULL CHECK (author_kind IN ('person', 'model', 'import', 'service')),
    on_behalf_of   uuid,
    tool           text,
    work_session   uuid,
    reason         text,
    command        uuid NOT NULL,
    causation      uuid,
    correlation    uuid,
    seen_offset    bigint,
    app_version    text NOT NULL,
    occurred_at    timestamptz,
    recorded_at    timestamptz NOT NULL,
    data_hash      bytea NOT NULL,
    chain          bytea NOT NULL,
    PRIMARY KEY (log, "offset"),
    UNIQUE (log, stream, version),
    UNIQUE (log, event_id)
);

-- One row for each command that a client named, so that its retry gets the same answer.
CREATE TABLE log_command (
    log          uuid NOT NULL,
    command      uuid NOT NULL,
    request_hash bytea NOT NULL,
    first_offset bigint,
    last_offset  bigint NOT NULL,
    answer       jsonb NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (log, command)
);

CREATE TABLE log_checkpoint (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    projection text NOT NULL,
    log        uuid NOT NULL,
    "offset"   bigint NOT NULL,
    UNIQUE (log, projection)
) WITH (fillfactor = 50);

CREATE FUNCTION log_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are immutable: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER log_event_immutable BEFORE UPDATE OR DELETE ON log_event FOR EACH ROW EXECUTE FUNCTION log_refuse_change();
CREATE TRIGGER log_event_kept BEFORE TRUNCATE ON log_event FOR EACH STATEMENT EXECUTE FUNCTION log_refuse_change();
-- ALWAYS: also for a session in replica mode, which skips ordinary triggers.
ALTER TABLE log_event ENABLE ALWAYS TRIGGER log_event_immutable;
ALTER TABLE log_event ENABLE ALWAYS TRIGGER log_event_kept;
