-- The append: the only writer of log_event. One call, one round trip, one transaction.
--
-- The counter row of the log is locked first and until commit, so offset order = commit order = visibility order, without
-- gaps. Everything that needs the lock happens here; everything else was done before in Python.
--
-- p_open      kind of a log to open if it does not exist yet, else null
-- p_expected  {stream: version that the caller's state was read at}; every stream that gets an event must be in it
-- p_events    array of events with short keys (see labeling.log.store); versions are expected + 1, + 2 …
--             null for a bulk: then they were copied into the session's temporary table log_staged_event before, so
--             that nothing is parsed under the lock
-- p_rows      array of {t: projected table, up: rows to put, out: keys to delete}
-- p_command, p_request_hash, p_answer   set when the client named the command: kept for its retry
--
-- status is one of: appended, replayed, reused (same command id, another request), stale, unknown_log
-- The chain over rows in their order, from the hash that stands in front of the first.
CREATE OR REPLACE FUNCTION log_link(p_state bytea, p_start bytea, p_place bigint, p_version bigint, p_us bigint, p_digest bytea)
RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(coalesce(p_state, p_start) || int8send(p_place) || int8send(p_version) || int8send(p_us) || p_digest)
$$;
CREATE OR REPLACE AGGREGATE log_chain(p_start bytea, p_place bigint, p_version bigint, p_us bigint, p_digest bytea) (
    SFUNC = log_link, STYPE = bytea
);

CREATE OR REPLACE FUNCTION log_append(
    p_log uuid, p_open text, p_expected jsonb, p_events jsonb, p_rows jsonb,
    p_command uuid, p_request_hash bytea, p_answer jsonb,
    OUT status text, OUT first_offset bigint, OUT last_offset bigint, OUT recorded_at timestamptz,
    OUT chain bytea, OUT hint boolean, OUT answer jsonb
) LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
#variable_conflict use_column
DECLARE
    v_head   bigint;
    v_chain  bytea;
    v_at     timestamptz;
    v_us     bigint;
    v_old    bigint;
    v_kept   log_command;
    v_item   jsonb;
    v_stream text;
    v_want   text;
    v_last   bigint;
    v_link   bytea;
BEGIN
    SELECT h.head, h.chain, h.recorded_at INTO v_head, v_chain, v_at
      FROM log_head h WHERE h.log = p_log FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        IF p_open IS NULL THEN
            log_append.status := 'unknown_log';
            RETURN;
        END IF;
        INSERT INTO log_head VALUES (p_log, p_open, 0, decode(repeat('00', 32), 'hex'), '-infinity')
            ON CONFLICT DO NOTHING;
        SELECT h.head, h.chain, h.recorded_at INTO v_head, v_chain, v_at
          FROM log_head h WHERE h.log = p_log FOR NO KEY UPDATE;
    END IF;

    IF p_request_hash IS NOT NULL THEN
        SELECT c.* INTO v_kept FROM log_command c WHERE c.log = p_log AND c.command = p_command;
        IF FOUND THEN
            log_append.status := CASE WHEN v_kept.request_hash = p_request_hash THEN 'replayed' ELSE 'reused' END;
            log_append.first_offset := v_kept.first_offset;
            log_append.last_offset := v_kept.last_offset;
            log_append.recorded_at := v_kept.recorded_at;
            log_append.answer := v_kept.answer;
            RETURN;
        END IF;
    END IF;

    FOR v_stream, v_want IN SELECT * FROM jsonb_each_text(p_expected) LOOP
        IF v_want::bigint <> coalesce((SELECT e.version FROM log_event e WHERE e.log = p_log AND e.stream = v_stream
                                        ORDER BY e.version DESC LIMIT 1), 0) THEN
            log_append.status := 'stale';
            RETURN;
        END IF;
    END LOOP;

    v_old := v_head;
    v_at := greatest(clock_timestamp(), v_at);  -- a clock that was set back must not reorder times
    v_us := (extract(epoch FROM v_at) * 1000000)::bigint;
    IF p_events IS NULL THEN
        -- EXECUTE, because a plan that is kept would outlive the temporary table.
        EXECUTE 'WITH chained AS (
                SELECT *, $2 + row_number() OVER in_order AS place,
                       log_chain($3, $2 + row_number, version, $4, digest) OVER in_order AS link
                  FROM (SELECT *, row_number() OVER (ORDER BY n) FROM log_staged_event) AS staged
                WINDOW in_order AS (ORDER BY n)),
            stored AS (
                INSERT INTO log_event
                SELECT $1, place, stream, version, event_id, type, schema_version, data, author, author_kind,
                       on_behalf_of, tool, work_session, reason, $5, causation, correlation, seen_offset, app_version,
                       timestamptz ''epoch'' + occurred_us * interval ''1 microsecond'', $6, data_hash, link
                  FROM chained ORDER BY place)
            SELECT place, link FROM chained ORDER BY place DESC LIMIT 1'
            INTO v_last, v_link USING p_log, v_head, v_chain, v_us, p_command, v_at;
        v_head := coalesce(v_last, v_head);
        v_chain := coalesce(v_link, v_chain);
    ELSE
        FOR v_item IN SELECT * FROM jsonb_array_elements(p_events) LOOP
            v_head := v_head + 1;
            v_chain := sha256(v_chain || int8send(v_head) || int8send((v_item->>'v')::bigint) || int8send(v_us)
                              || decode(v_item->>'g', 'hex'));
            INSERT INTO log_event VALUES (
                p_log, v_head, v_item->>'s', (v_item->>'v')::bigint, (v_item->>'i')::uuid, v_item->>'t',
                (v_item->>'n')::smallint, v_item->'d', (v_item->>'a')::uuid, v_item->>'k', (v_item->>'b')::uuid,
                v_item->>'tool', (v_item->>'ws')::uuid, v_item->>'r', p_command, (v_item->>'ca')::uuid, (v_item->>'co')::uuid,
                (v_item->>'so')::bigint, v_item->>'av',
                timestamptz 'epoch' + (v_item->>'o')::bigint * interval '1 microsecond', v_at,
                decode(v_item->>'h', 'hex'), v_chain);
        END LOOP;
    END IF;

    FOR v_item IN SELECT * FROM jsonb_array_elements(p_rows) LOOP
        IF v_item ? 'out' THEN
            EXECUTE format('SELECT %I($1)', 'unproject_' || (v_item->>'t')) USING v_item->'out';
        END IF;
        IF v_item ? 'up' THEN
            EXECUTE format('SELECT %I($1, $2, $3)', 'project_' || (v_item->>'t')) USING v_item->'up', v_at, v_head;
        END IF;
    END LOOP;

    IF v_head > v_old THEN
        UPDATE log_head h SET head = v_head, chain = v_chain, recorded_at = v_at WHERE h.log = p_log;
    END IF;
    IF p_request_hash IS NOT NULL THEN
        INSERT INTO log_command VALUES (p_log, p_command, p_request_hash,
            CASE WHEN v_head > v_old THEN v_old + 1 END, v_head, p_answer, v_at);
    END IF;

    log_append.status := 'appended';
    log_append.first_offset := CASE WHEN v_head > v_old THEN v_old + 1 END;
    log_append.last_offset := v_head;
    log_append.recorded_at := v_at;
    log_append.chain := v_chain;
    log_append.answer := p_answer;
    -- Where a projector is already behind, a hint is on its way; a lost one is found by the sweeper.
    log_append.hint := v_head > v_old
        AND NOT EXISTS (SELECT FROM log_checkpoint c WHERE c.log = p_log AND c."offset" < v_old);
END $$;

-- Makes the two functions by which log_append writes a projected table: whole rows in, keys out. What is known only under
-- the lock is filled in here: a time of 'infinity' is the time of the append, and in a bigint column whose name ends in
-- _offset a value of 0 or less counts back from the last offset of the append.
CREATE OR REPLACE FUNCTION log_define_projection(p_table text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_key     text;
    v_columns text;
    v_values  text;
    v_sets    text;
BEGIN
    SELECT a.attname INTO STRICT v_key
      FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
     WHERE i.indrelid = p_table::regclass AND i.indisprimary;
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum),
           string_agg(CASE WHEN atttypid = 'timestamptz'::regtype
                               THEN format('CASE WHEN r.%1$I = ''infinity'' THEN p_at ELSE r.%1$I END', attname)
                           WHEN atttypid = 'bigint'::regtype AND attname LIKE '%\_offset'
                               THEN format('CASE WHEN r.%1$I < 1 THEN p_offset + r.%1$I ELSE r.%1$I END', attname)
                           ELSE format('r.%I', attname) END, ', ' ORDER BY attnum),
           string_agg(format('%1$I = excluded.%1$I', attname), ', ' ORDER BY attnum) FILTER (WHERE attname <> v_key)
      INTO v_columns, v_values, v_sets
      FROM pg_attribute WHERE attrelid = p_table::regclass AND attnum > 0 AND NOT attisdropped;
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION %I(p_rows jsonb, p_at timestamptz, p_offset bigint) RETURNS void LANGUAGE plpgsql AS $f$
         BEGIN
            INSERT INTO %I (%s) SELECT %s FROM jsonb_populate_recordset(NULL::%I, p_rows) r
            ON CONFLICT (%I) DO UPDATE SET %s;
         END $f$', 'project_' || p_table, p_table, v_columns, v_values, p_table, v_key, v_sets);
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION %I(p_keys jsonb) RETURNS void LANGUAGE plpgsql AS $f$
         BEGIN
            DELETE FROM %I WHERE %I IN (SELECT value::uuid FROM jsonb_array_elements_text(p_keys));
         END $f$', 'unproject_' || p_table, p_table, v_key);
END $$;
