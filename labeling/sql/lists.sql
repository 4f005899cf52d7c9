-- What lists need to be fast: counts and statuses of live samples, kept beside the projections by triggers.
--
-- Most triggers are of the statement, with transition tables: one call counts all rows of a bulk import. They run inside
-- of the append (or the rebuild), so under the log's lock: no two of them ever touch the rows of one dataset at once.
-- The functions counted_… say what the tables must hold. They are the definition: the migration fills by them, verify
-- compares with them, rebuild mends by them.
--
-- A status of '' says that there is no label; a label may also be there and still be UNLABELED.

-- The rows of each table for one dataset. Rows that count nothing may or may not be there.
CREATE OR REPLACE FUNCTION counted_labeling_samplecount(p_dataset uuid)
RETURNS TABLE (dataset_id uuid, bucket bigint, count bigint) LANGUAGE sql STABLE AS $$
    SELECT s.dataset_id, s.created_offset >> 10, count(*) FROM labeling_sample s
     WHERE s.dataset_id = p_dataset AND NOT s.archived GROUP BY 1, 2
$$;

CREATE OR REPLACE FUNCTION counted_labeling_samplestatus(p_dataset uuid)
RETURNS TABLE (sample_id uuid, label_set_id uuid, dataset_id uuid, status text, created_offset bigint)
LANGUAGE sql STABLE AS $$
    SELECT s.id, l.label_set_id, s.dataset_id, l.status, s.created_offset
      FROM labeling_sample s JOIN labeling_label l ON l.sample_id = s.id AND NOT l.deleted
     WHERE s.dataset_id = p_dataset AND NOT s.archived
    UNION ALL
    SELECT s.id, ls.id, s.dataset_id, '', s.created_offset
      FROM labeling_sample s
      JOIN labeling_labelset ls ON ls.dataset_id = s.dataset_id AND ls.kind = 'ground-truth'
     WHERE s.dataset_id = p_dataset AND NOT s.archived
       AND NOT EXISTS (SELECT FROM labeling_label l
                        WHERE l.sample_id = s.id AND l.label_set_id = ls.id AND NOT l.deleted)
$$;

CREATE OR REPLACE FUNCTION counted_labeling_statuscount(p_dataset uuid)
RETURNS TABLE (dataset_id uuid, label_set_id uuid, status text, count bigint) LANGUAGE sql STABLE AS $$
    SELECT c.dataset_id, c.label_set_id, c.status, count(*) FROM counted_labeling_samplestatus(p_dataset) c
     GROUP BY 1, 2, 3
$$;

-- None of these functions joins one transition table to another: a plan is kept from the first call of a session, mostly
-- one for a single row, and as a nested loop it would compare every row of a bulk change with every other.

-- Samples come, go, and come again with a rebuild; what else changes of them is no matter here.
CREATE OR REPLACE FUNCTION labeling_sample_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE labeling_samplecount c SET count = c.count - g.count
          FROM (SELECT o.dataset_id, o.created_offset >> 10 AS bucket, count(*) FROM old_rows o
                 WHERE NOT o.archived GROUP BY 1, 2) g
         WHERE c.dataset_id = g.dataset_id AND c.bucket = g.bucket;
        DELETE FROM labeling_samplestatus t USING old_rows o WHERE t.sample_id = o.id AND NOT o.archived;
        RETURN NULL;
    ELSIF TG_OP = 'UPDATE' THEN
        IF NOT EXISTS (SELECT n.id, n.archived, n.created_offset, n.dataset_id FROM new_rows n
                       EXCEPT SELECT o.id, o.archived, o.created_offset, o.dataset_id FROM old_rows o) THEN
            RETURN NULL;
        END IF;
        INSERT INTO labeling_samplecount AS c (dataset_id, bucket, count)
        SELECT g.dataset_id, g.bucket, sum(g.change)
          FROM (SELECT n.dataset_id, n.created_offset >> 10 AS bucket, 1 AS change FROM new_rows n WHERE NOT n.archived
                UNION ALL
                SELECT o.dataset_id, o.created_offset >> 10, -1 FROM old_rows o WHERE NOT o.archived) g
         GROUP BY 1, 2 HAVING sum(g.change) <> 0
            ON CONFLICT (dataset_id, bucket) DO UPDATE SET count = c.count + excluded.count;
        DELETE FROM labeling_samplestatus t
         USING (SELECT o.id, o.created_offset, o.dataset_id FROM old_rows o WHERE NOT o.archived
                EXCEPT SELECT n.id, n.created_offset, n.dataset_id FROM new_rows n WHERE NOT n.archived) g
         WHERE t.sample_id = g.id;
        INSERT INTO labeling_samplestatus (sample_id, label_set_id, dataset_id, status, created_offset)
        WITH come AS MATERIALIZED (
            SELECT n.id, n.created_offset, n.dataset_id FROM new_rows n WHERE NOT n.archived
            EXCEPT SELECT o.id, o.created_offset, o.dataset_id FROM old_rows o WHERE NOT o.archived)
        SELECT n.id, l.label_set_id, n.dataset_id, l.status, n.created_offset
          FROM come n JOIN labeling_label l ON l.sample_id = n.id AND NOT l.deleted
        UNION ALL
        SELECT n.id, ls.id, n.dataset_id, '', n.created_offset
          FROM come n JOIN labeling_labelset ls ON ls.dataset_id = n.dataset_id AND ls.kind = 'ground-truth'
         WHERE NOT EXISTS (SELECT FROM labeling_label l
                            WHERE l.sample_id = n.id AND l.label_set_id = ls.id AND NOT l.deleted);
    ELSIF EXISTS (SELECT FROM new_rows) THEN
        INSERT INTO labeling_samplecount AS c (dataset_id, bucket, count)
        SELECT n.dataset_id, n.created_offset >> 10, count(*) FROM new_rows n WHERE NOT n.archived GROUP BY 1, 2
            ON CONFLICT (dataset_id, bucket) DO UPDATE SET count = c.count + excluded.count;
        -- A chunk of an import, or a rebuild, may bring labels in front of their samples.
        INSERT INTO labeling_samplestatus (sample_id, label_set_id, dataset_id, status, created_offset)
        SELECT n.id, l.label_set_id, n.dataset_id, l.status, n.created_offset
          FROM new_rows n JOIN labeling_label l ON l.sample_id = n.id AND NOT l.deleted
         WHERE NOT n.archived
        UNION ALL
        SELECT n.id, ls.id, n.dataset_id, '', n.created_offset
          FROM new_rows n JOIN labeling_labelset ls ON ls.dataset_id = n.dataset_id AND ls.kind = 'ground-truth'
         WHERE NOT n.archived
           AND NOT EXISTS (SELECT FROM labeling_label l
                            WHERE l.sample_id = n.id AND l.label_set_id = ls.id AND NOT l.deleted);
    END IF;
    RETURN NULL;
END $$;

-- Labels come, change their status, and go. An edit changes none of that and pays nothing: a trigger of the statement,
-- which collects the rows before it can look at them, would take a tenth of the time of an append. So a change of status is
-- a matter of the row, by which a bulk is not counted: log_project_staged calls the first of these for all of its rows.
CREATE OR REPLACE FUNCTION labeling_label_recounted(p_labels uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO labeling_samplestatus AS t (sample_id, label_set_id, dataset_id, status, created_offset)
    SELECT s.id, l.label_set_id, s.dataset_id, l.status, s.created_offset
      FROM labeling_label l JOIN labeling_sample s ON s.id = l.sample_id AND NOT s.archived
     WHERE l.id = ANY(p_labels) AND NOT l.deleted
        ON CONFLICT (sample_id, label_set_id) DO UPDATE SET status = excluded.status
           WHERE t.status IS DISTINCT FROM excluded.status;
    -- What is gone leaves its sample without a label where it was the ground truth. It is gone: a label's id is derived
    -- from sample and label set, so no other can be there.
    UPDATE labeling_samplestatus t SET status = ''
      FROM labeling_label l JOIN labeling_labelset ls ON ls.id = l.label_set_id AND ls.kind = 'ground-truth'
     WHERE l.id = ANY(p_labels) AND l.deleted AND t.sample_id = l.sample_id AND t.label_set_id = l.label_set_id;
    DELETE FROM labeling_samplestatus t USING labeling_label l
     WHERE l.id = ANY(p_labels) AND l.deleted AND t.sample_id = l.sample_id AND t.label_set_id = l.label_set_id
       AND NOT EXISTS (SELECT FROM labeling_labelset ls WHERE ls.id = l.label_set_id AND ls.kind = 'ground-truth');
END $$;

CREATE OR REPLACE FUNCTION labeling_label_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM labeling_label_recounted(ARRAY[new.id]);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER counted_change AFTER UPDATE ON labeling_label FOR EACH ROW
    WHEN ((old.status IS DISTINCT FROM new.status OR old.deleted IS DISTINCT FROM new.deleted)
          AND current_setting('palimpsest.bulk', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION labeling_label_changed();

CREATE OR REPLACE FUNCTION labeling_label_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF EXISTS (SELECT FROM new_rows) THEN
            INSERT INTO labeling_samplestatus AS t (sample_id, label_set_id, dataset_id, status, created_offset)
            SELECT s.id, n.label_set_id, s.dataset_id, n.status, s.created_offset
              FROM new_rows n JOIN labeling_sample s ON s.id = n.sample_id AND NOT s.archived
             WHERE NOT n.deleted
                ON CONFLICT (sample_id, label_set_id) DO UPDATE SET status = excluded.status;
        END IF;
        RETURN NULL;
    END IF;
    UPDATE labeling_samplestatus t SET status = ''
      FROM old_rows o JOIN labeling_labelset ls ON ls.id = o.label_set_id AND ls.kind = 'ground-truth'
     WHERE t.sample_id = o.sample_id AND t.label_set_id = o.label_set_id AND NOT o.deleted
       AND NOT EXISTS (SELECT FROM labeling_label l WHERE l.id = o.id AND NOT l.deleted);
    DELETE FROM labeling_samplestatus t USING old_rows o
     WHERE t.sample_id = o.sample_id AND t.label_set_id = o.label_set_id AND NOT o.deleted
       AND NOT EXISTS (SELECT FROM labeling_label l WHERE l.id = o.id AND NOT l.deleted)
       AND NOT EXISTS (SELECT FROM labeling_labelset ls WHERE ls.id = o.label_set_id AND ls.kind = 'ground-truth');
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION labeling_samplestatus_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO labeling_statuscount AS c (dataset_id, label_set_id, status, count)
        SELECT n.dataset_id, n.label_set_id, n.status, count(*) FROM new_rows n GROUP BY 1, 2, 3
            ON CONFLICT (dataset_id, label_set_id, status) DO UPDATE SET count = c.count + excluded.count;
    ELSIF TG_OP = 'DELETE' THEN
        UPDATE labeling_statuscount c SET count = c.count - g.count
          FROM (SELECT o.dataset_id, o.label_set_id, o.status, count(*) FROM old_rows o GROUP BY 1, 2, 3) g
         WHERE c.dataset_id = g.dataset_id AND c.label_set_id = g.label_set_id AND c.status = g.status;
    ELSIF EXISTS (SELECT FROM new_rows) THEN
        INSERT INTO labeling_statuscount AS c (dataset_id, label_set_id, status, count)
        SELECT g.dataset_id, g.label_set_id, g.status, sum(g.change)
          FROM (SELECT n.dataset_id, n.label_set_id, n.status, 1 AS change FROM new_rows n
                UNION ALL
                SELECT o.dataset_id, o.label_set_id, o.status, -1 FROM old_rows o) g
         GROUP BY 1, 2, 3
            ON CONFLICT (dataset_id, label_set_id, status) DO UPDATE SET count = c.count + excluded.count;
    END IF;
    RETURN NULL;
END $$;

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['labeling_sample', 'labeling_label', 'labeling_samplestatus'] LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER counted_insert AFTER INSERT ON %1$I REFERENCING NEW TABLE AS new_rows
                        FOR EACH STATEMENT EXECUTE FUNCTION %2$I()', v_table, v_table || '_counted');
        IF v_table <> 'labeling_label' THEN
            EXECUTE format('CREATE OR REPLACE TRIGGER counted_update AFTER UPDATE ON %1$I
                            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
                            FOR EACH STATEMENT EXECUTE FUNCTION %2$I()', v_table, v_table || '_counted');
        END IF;
        EXECUTE format('CREATE OR REPLACE TRIGGER counted_delete AFTER DELETE ON %1$I REFERENCING OLD TABLE AS old_rows
                        FOR EACH STATEMENT EXECUTE FUNCTION %2$I()', v_table, v_table || '_counted');
    END LOOP;
END $$;

-- Updated with every sample that is added: room for the new version of a row on its own page.
ALTER TABLE labeling_samplecount SET (fillfactor = 50);
ALTER TABLE labeling_statuscount SET (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
