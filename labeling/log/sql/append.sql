-- The append: the only writer of log_event. One call, one round trip, one transaction.
--
-- The log is locked first and until commit, so offset order = commit order = visibility order, without gaps. Everything
-- that needs the lock happens here; everything else was done before in Python. Writers of a log wait for each other's
-- statements and for little else, so an append of one event, which nearly every edit is, has none that it can spare.
--
-- The version of a stream is the last entry of its index. A plan that was made while the log was short would rather sort
-- what a smaller index has of the whole log, and is kept while the log grows; so nothing is sorted here.
--
-- p_open      kind of a log to open if it does not exist yet, else null
-- p_expected  {stream: version that the caller's state was read at}; every stream that gets an event must be in it. Null
--             where there is one event, and its version says what was read
-- p_intent    what all events of the append have in common, with short keys (see labeling.log.store.appending)
-- p_events    array of [stream, version, type, schema version, data]; versions are expected + 1, + 2 …
--             null for a bulk: then they were copied into the session's temporary table log_staged_event before (see
--             log_stage below), so that nothing is parsed under the lock
-- p_hashes    88 bytes for each event: its id (16), the hash of its data (32), its version (8), its digest (32)
-- p_rows      array of {t: projected table, up: rows to put, out: keys to delete}; where `up` is "some" or "new", the
--             rows were copied into the temporary table log_staged_<projected table>; "new" says that none is there yet.
--             Where it is a number, they are in the projected table already, uncommitted, and the append fails if this is
--             not the last offset
-- p_command, p_request_hash, p_answer   set when the client named the command: kept for its retry
--
-- status is one of: appended, replayed, reused (same command id, another request), stale, unknown_log
CREATE OR REPLACE FUNCTION log_append(
    p_log uuid, p_open text, p_expected jsonb, p_intent jsonb, p_events jsonb, p_hashes bytea, p_rows jsonb,
    p_command uuid, p_request_hash bytea, p_answer jsonb,
    OUT status text, OUT first_offset bigint, OUT last_offset bigint, OUT recorded_at timestamptz,
    OUT chain bytea, OUT hint boolean, OUT answer jsonb
) LANGUAGE plpgsql SET lock_timeout = '2s' SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
    v_head   bigint;
    v_chain  bytea;
    v_at     timestamptz;
    v_us     bytea;
    v_old    bigint;
    v_kept   log_command;
    v_item   jsonb;
    v_links  bytea[];
    v_count  bigint;
    v_stream text;    -- of the one event, and its version
    v_next   bigint;
    v_void   text;
BEGIN
    -- A CHECK would be read from the catalogue with each statement, which takes a tenth of the time of an append.
    IF NOT coalesce(p_intent->>'k' IN ('person', 'model', 'import', 'service'), false) THEN
        RAISE EXCEPTION '% is no kind of author', p_intent->>'k' USING ERRCODE = 'check_violation';
    END IF;
    IF p_expected IS NULL THEN
        IF jsonb_array_length(p_events) IS DISTINCT FROM 1 THEN
            RAISE EXCEPTION 'only the version of a single event is taken from it';
        END IF;
        v_stream := p_events->0->>0;
        v_next := (p_events->0->>1)::bigint;
    END IF;

    -- Not the lock of the counter row: who waits for a row is woken by each change of it, only to find the next one in
    -- front; here they stand in line.
    PERFORM pg_advisory_xact_lock(uuid_hash_extended(p_log, 0));
    SELECT h.head, h.chain, h.recorded_at INTO v_head, v_chain, v_at FROM log_head h WHERE h.log = p_log;
    IF NOT FOUND THEN
        IF p_open IS NULL THEN
            log_append.status := 'unknown_log';
            RETURN;
        END IF;
        IF p_open NOT IN ('dataset', 'installation', 'security') THEN
            RAISE EXCEPTION '% is no kind of log', p_open USING ERRCODE = 'check_violation';
        END IF;
        INSERT INTO log_head VALUES (p_log, p_open, 0, decode(repeat('00', 32), 'hex'), '-infinity')
            ON CONFLICT DO NOTHING;
        SELECT h.head, h.chain, h.recorded_at INTO v_head, v_chain, v_at FROM log_head h WHERE h.log = p_log;
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

    IF p_expected IS NULL THEN
        SELECT e.version INTO v_old FROM log_event e
         WHERE e.log = p_log AND e.stream = v_stream ORDER BY e.version DESC LIMIT 1;
        IF coalesce(v_old, 0) <> v_next - 1 THEN
            log_append.status := 'stale';
            RETURN;
        END IF;
    ELSIF EXISTS (SELECT FROM jsonb_each_text(p_expected) AS x
                   WHERE x.value::bigint <> coalesce((SELECT e.version FROM log_event e
                                                       WHERE e.log = p_log AND e.stream = x.key
                                                       ORDER BY e.version DESC LIMIT 1), 0)) THEN
        log_append.status := 'stale';
        RETURN;
    END IF;

    v_old := v_head;
    v_at := greatest(clock_timestamp(), v_at);  -- a clock that was set back must not reorder times
    v_us := int8send((extract(epoch FROM v_at) * 1000000)::bigint);
    -- The chain, as labeling.log.event.chained has it.
    FOR v_n IN 1 .. length(p_hashes) / 88 LOOP
        v_head := v_head + 1;
        v_chain := sha256(v_chain || int8send(v_head) || substr(p_hashes, v_n * 88 - 39, 8) || v_us
                          || substr(p_hashes, v_n * 88 - 31, 32));
        v_links[v_n] := v_chain;
    END LOOP;
    IF p_expected IS NULL THEN
        INSERT INTO log_event VALUES
            (p_log, v_head, v_stream, v_next, encode(substr(p_hashes, 1, 16), 'hex')::uuid,
             p_events->0->>2, (p_events->0->>3)::smallint, p_events->0->4, (p_intent->>'a')::uuid, p_intent->>'k',
             (p_intent->>'b')::uuid, p_intent->>'tool', (p_intent->>'ws')::uuid, p_intent->>'r', p_command,
             (p_intent->>'ca')::uuid, (p_intent->>'co')::uuid, (p_intent->>'so')::bigint, p_intent->>'av',
             timestamptz 'epoch' + (p_intent->>'o')::bigint * interval '1 microsecond', v_at,
             substr(p_hashes, 17, 32), v_chain);
    ELSIF p_events IS NOT NULL THEN
        INSERT INTO log_event
        SELECT p_log, v_old + n, x->>0, (x->>1)::bigint, encode(substr(p_hashes, n::int * 88 - 87, 16), 'hex')::uuid,
               x->>2, (x->>3)::smallint, x->4, (p_intent->>'a')::uuid, p_intent->>'k', (p_intent->>'b')::uuid,
               p_intent->>'tool', (p_intent->>'ws')::uuid, p_intent->>'r', p_command, (p_intent->>'ca')::uuid,
               (p_intent->>'co')::uuid, (p_intent->>'so')::bigint, p_intent->>'av',
               timestamptz 'epoch' + (p_intent->>'o')::bigint * interval '1 microsecond', v_at,
               substr(p_hashes, n::int * 88 - 71, 32), v_links[n]
          FROM jsonb_array_elements(p_events) WITH ORDINALITY AS item(x, n);
    ELSE
        IF EXISTS (SELECT FROM jsonb_array_elements(p_rows) AS x
                    WHERE CASE jsonb_typeof(x->'up') WHEN 'number' THEN (x->>'up')::bigint <> v_head END) THEN
            RAISE EXCEPTION 'the log ends elsewhere by now' USING ERRCODE = 'serialization_failure';
        END IF;
        INSERT INTO log_event
        SELECT p_log, v_old + n, stream, version, encode(substr(p_hashes, n * 88 - 87, 16), 'hex')::uuid, type,
               schema_version, data, a, k, b, tool, ws, r, p_command, ca, co, so, av,
               timestamptz 'epoch' + o * interval '1 microsecond', v_at, substr(p_hashes, n * 88 - 71, 32), v_links[n]
          -- Taken apart once, and not for each event.
          FROM jsonb_to_record(p_intent) AS i (a uuid, k text, b uuid, tool text, ws uuid, r text, ca uuid, co uuid,
                                               so bigint, av text, o bigint),
               log_staged_event WHERE staged_in = pg_current_xact_id();
    END IF;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_count <> v_head - v_old THEN
        RAISE EXCEPTION '% events came with the hashes of %', v_count, v_head - v_old;
    END IF;

    -- What is assigned is called as it stands; a PERFORM, or a query to loop over, is a statement.
    FOR v_n IN 0 .. jsonb_array_length(p_rows) - 1 LOOP
        v_item := p_rows->v_n;
        v_void := log_project(v_item->>'t', v_item->'up', v_item->'out', v_at, v_head);
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

-- For who must not commit what was not appended: the status, if it was.
CREATE OR REPLACE FUNCTION log_appended(p_status text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF p_status IS DISTINCT FROM 'appended' THEN
        RAISE EXCEPTION 'the append is %', p_status USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN p_status;
END $$;

-- Makes the function log_project, by which log_append writes projected tables: whole rows in, keys out. What is known only
-- under the lock is filled in here: a time of 'infinity' is the time of the append, and in a bigint column whose name ends
-- in _offset a value of 0 or less counts back from the last offset of the append. One whose name ends in _bucket has the
-- number of the 1024 offsets, from 1 on, in which such an offset is.
--
-- One function with a branch a table, because a statement that is put together anew is planned anew each time. A single
-- row is mostly there already, and an UPDATE costs half of an upsert; nobody else writes rows of this log meanwhile. Its
-- columns are taken out one by one: jsonb_populate_record looks each type up again in each statement.
--
-- So it is with the rows of a bulk, which log_project_staged writes. Its plans are kept while the projected tables grow
-- from nothing to millions, so they are told to find each row by its key, whatever the tables are when they are made. What
-- is counted of a table's rows is counted once and for all of a bulk, where there is a function <table>_recounted for it;
-- triggers of the row leave it to that while palimpsest.bulk is on.
CREATE OR REPLACE FUNCTION log_define_projections(p_tables text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_table    text;
    v_key      text;
    v_columns  text;
    v_values   text;
    v_excluded text;
    v_sets     text;
    v_single   text;
    v_branches text := '';
    v_staged   text := '';
BEGIN
    FOREACH v_table IN ARRAY p_tables LOOP
        SELECT a.attname INTO STRICT v_key
          FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE i.indrelid = v_table::regclass AND i.indisprimary;
        SELECT string_agg(quote_ident(name), ', ' ORDER BY attnum),
               string_agg(log_filled(name, atttypid, format('r.%I', name)), ', ' ORDER BY attnum),
               string_agg(format('%1$I = excluded.%1$I', name), ', ' ORDER BY attnum) FILTER (WHERE name <> v_key),
               string_agg(format('%I = %s', name, log_filled(name, atttypid, format('r.%I', name))), ', '
                          ORDER BY attnum) FILTER (WHERE name <> v_key),
               string_agg(format('%I = %s', name, log_filled(name, atttypid, log_taken(name, atttypid))), ', '
                          ORDER BY attnum) FILTER (WHERE name <> v_key)
          INTO v_columns, v_values, v_excluded, v_sets, v_single
          FROM (SELECT attname::text AS name, attnum, atttypid FROM pg_attribute
                 WHERE attrelid = v_table::regclass AND attnum > 0 AND NOT attisdropped) AS found;
        v_branches := v_branches || format('
        WHEN %1$L THEN
            IF p_out IS NOT NULL THEN
                DELETE FROM %1$I t USING jsonb_array_elements_text(p_out) AS gone WHERE t.%2$I = gone.value::uuid;
            END IF;
            IF p_up IS NULL THEN
                RETURN;
            END IF;
            IF jsonb_typeof(p_up) <> ''array'' THEN
                IF jsonb_typeof(p_up) = ''string'' THEN
                    PERFORM log_project_staged(p_table, p_up = ''"new"'', p_at, p_offset);
                END IF;
                RETURN;
            END IF;
            IF jsonb_array_length(p_up) = 1 THEN
                v_row := p_up->0;
                UPDATE %1$I t SET %6$s WHERE t.%2$I = (v_row->>%2$L)::uuid;
                IF FOUND THEN
                    RETURN;
                END IF;
            END IF;
            INSERT INTO %1$I (%3$s) SELECT %4$s FROM jsonb_populate_recordset(NULL::%1$I, p_up) AS r
                ON CONFLICT (%2$I) DO UPDATE SET %5$s;',
            v_table, v_key, v_columns, v_values, v_excluded, v_single);
        v_staged := v_staged || format('
        WHEN %1$L THEN
            IF NOT p_new THEN
                UPDATE %1$I t SET %5$s FROM %6$I AS r WHERE t.%2$I = r.%2$I AND r.staged_in = v_now;
                GET DIAGNOSTICS v_changed = ROW_COUNT;
            END IF;
            IF v_changed = 0 THEN  -- nobody else writes rows of this log meanwhile, so all of them are new
                INSERT INTO %1$I (%3$s) SELECT %4$s FROM %6$I AS r WHERE r.staged_in = v_now;
                RETURN;
            END IF;
            %7$s
            SELECT count(*) INTO v_staged FROM %6$I AS r WHERE r.staged_in = v_now;
            IF v_changed < v_staged THEN
                INSERT INTO %1$I (%3$s) SELECT %4$s FROM %6$I AS r
                 WHERE r.staged_in = v_now AND NOT EXISTS (SELECT FROM %1$I t WHERE t.%2$I = r.%2$I);
                GET DIAGNOSTICS v_added = ROW_COUNT;
                IF v_changed + v_added <> v_staged THEN
                    RAISE EXCEPTION ''a row of %1$s comes twice in one append'' USING ERRCODE = ''unique_violation'';
                END IF;
            END IF;',
            v_table, v_key, v_columns, v_values, v_sets, 'log_staged_' || v_table,
            CASE WHEN to_regprocedure(format('%I(uuid[])', v_table || '_recounted')) IS NOT NULL THEN
                format('PERFORM %I(ARRAY(SELECT r.%I FROM %I AS r WHERE r.staged_in = v_now));',
                       v_table || '_recounted', v_key, 'log_staged_' || v_table) END);
    END LOOP;
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION log_project(p_table text, p_up jsonb, p_out jsonb, p_at timestamptz, p_offset bigint)
         RETURNS void LANGUAGE plpgsql AS $f$
         DECLARE
            v_row jsonb;
         BEGIN
            CASE p_table %s
            END CASE;
         END $f$', v_branches);
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION log_project_staged(p_table text, p_new boolean, p_at timestamptz, p_offset bigint)
         RETURNS void LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
         SET palimpsest.bulk = ''on'' AS $f$
         DECLARE
            v_changed bigint := 0;
            v_staged  bigint;
            v_added   bigint;
            v_now     xid8 := pg_current_xact_id();
         BEGIN
            CASE p_table %s
            END CASE;
         END $f$', v_staged);
END $$;

-- The SQL of a column's value with what is known only under the lock filled in.
CREATE OR REPLACE FUNCTION log_filled(p_name text, p_type oid, p_value text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_type = 'timestamptz'::regtype
                    THEN format('CASE WHEN %1$s = ''infinity'' THEN p_at ELSE %1$s END', p_value)
                WHEN p_type = 'bigint'::regtype AND p_name LIKE '%\_offset'
                    THEN format('CASE WHEN %1$s < 1 THEN p_offset + %1$s ELSE %1$s END', p_value)
                WHEN p_type = 'bigint'::regtype AND p_name LIKE '%\_bucket'
                    THEN format('CASE WHEN %1$s < 1 THEN ((p_offset + %1$s) >> 10) + 1 ELSE %1$s END', p_value)
                ELSE p_value END
$$;

-- The SQL of a column's value in v_row, as jsonb_populate_record has it: JSON's null is SQL's.
CREATE OR REPLACE FUNCTION log_taken(p_name text, p_type oid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_type = 'jsonb'::regtype THEN format('nullif(v_row->%L, ''null'')', p_name)
                WHEN t.typcategory = 'S' THEN format('v_row->>%L', p_name)
                WHEN t.typcategory = 'A'
                    THEN format('CASE WHEN jsonb_typeof(v_row->%1$L) = ''array'' THEN ARRAY(
                                     SELECT x.value::%2$s FROM jsonb_array_elements_text(v_row->%1$L)
                                       WITH ORDINALITY AS x ORDER BY x.ordinality) END',
                                p_name, t.typelem::regtype)
                ELSE format('(v_row->>%L)::%s', p_name, p_type::regtype) END
      FROM pg_type t WHERE t.oid = p_type
$$;

-- Makes a transaction ready for a bulk: temporary tables for its events and for the rows of these projected tables. What
-- is copied into them is of this transaction; p_again says that it may have had a bulk before, whose rows go. The rows are
-- of the projected tables' own columns; the answer names these, in the order of the table, and says which hold JSON.
--
-- What is copied stays there until log_unstage is called, and nobody asks for it again. Emptied ON COMMIT, the files would
-- be cut off under the log's lock, and a file system lets that wait for tenths of a second while a checkpoint is written.
-- TRUNCATE makes new files, rows in the catalogue, and all plans anew.
CREATE OR REPLACE FUNCTION log_stage(p_tables text[], p_again boolean)
RETURNS TABLE (projected text, name text, holds_json boolean) LANGUAGE plpgsql SET client_min_messages = warning AS $$
DECLARE
    v_table  text;
    v_staged text;
BEGIN
    -- A session may be older than the last migration, here and below.
    IF NOT EXISTS (SELECT FROM pg_attribute
                    WHERE attrelid = to_regclass('pg_temp.log_staged_event') AND attname = 'staged_in') THEN
        DROP TABLE IF EXISTS pg_temp.log_staged_event;
        CREATE TEMPORARY TABLE log_staged_event
            (n int, stream text, version bigint, type text, schema_version smallint, data jsonb,
             staged_in xid8 DEFAULT pg_current_xact_id());
    ELSIF p_again THEN
        TRUNCATE pg_temp.log_staged_event;
    END IF;
    FOREACH v_table IN ARRAY p_tables LOOP
        v_staged := 'log_staged_' || v_table;
        IF EXISTS (
            SELECT FROM (SELECT attname, atttypid FROM pg_attribute
                          WHERE attrelid = v_table::regclass AND attnum > 0 AND NOT attisdropped
                         UNION ALL SELECT 'staged_in', 'xid8'::regtype) AS now
              FULL JOIN (SELECT attname, atttypid FROM pg_attribute
                          WHERE attrelid = to_regclass('pg_temp.' || quote_ident(v_staged)) AND attnum > 0) AS staged
                        USING (attname, atttypid)
             WHERE now IS NULL OR staged IS NULL
        ) THEN
            EXECUTE format('DROP TABLE IF EXISTS pg_temp.%I', v_staged);
            EXECUTE format('CREATE TEMPORARY TABLE %I (LIKE %I, staged_in xid8 DEFAULT pg_current_xact_id())',
                           v_staged, v_table);
        ELSIF p_again THEN
            EXECUTE format('TRUNCATE pg_temp.%I', v_staged);
        END IF;
    END LOOP;
    RETURN QUERY
        SELECT t.name, a.attname::text, a.atttypid IN ('json'::regtype, 'jsonb'::regtype)
          FROM unnest(p_tables) AS t (name) JOIN pg_attribute a ON a.attrelid = t.name::regclass
         WHERE a.attnum > 0 AND NOT a.attisdropped
         ORDER BY t.name, a.attnum;
END $$;

-- Empties the session's temporary tables that the bulks before this transaction have filled with more than p_most bytes.
CREATE OR REPLACE FUNCTION log_unstage(p_most bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_tables text;
BEGIN
    SELECT string_agg(c.oid::regclass::text, ', ') INTO v_tables FROM pg_class c
     WHERE c.relname LIKE 'log\_staged\_%' AND c.relnamespace = pg_my_temp_schema() AND pg_table_size(c.oid) > p_most;
    IF v_tables IS NOT NULL THEN
        EXECUTE 'TRUNCATE ' || v_tables;
    END IF;
END $$;
