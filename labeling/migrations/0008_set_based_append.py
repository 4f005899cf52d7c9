"""log_append takes what events share once, stores them as a set, and writes projections by one function."""

from __future__ import annotations

from importlib.resources import files

from django.db import migrations

#: What was there before; nothing calls it any more. Functions that write projections were one or two a table.
GONE = """
DROP FUNCTION IF EXISTS log_append(uuid, text, jsonb, jsonb, jsonb, uuid, bytea, jsonb);
DROP AGGREGATE IF EXISTS log_chain(bytea, bigint, bigint, bigint, bytea);
DROP FUNCTION IF EXISTS log_link(bytea, bytea, bigint, bigint, bigint, bytea);
DROP FUNCTION IF EXISTS log_define_projection(text);
DO $$
DECLARE
    v_function regprocedure;
BEGIN
    FOR v_function IN SELECT oid FROM pg_proc
                       WHERE pronamespace = current_schema()::regnamespace AND proname ~ '^(un)?project_'
    LOOP
        EXECUTE 'DROP FUNCTION ' || v_function;
    END LOOP;
END $$;
"""
#: Room on a page for the next version of a row, so that moving an object touches none of the four indexes.
ROOM = "ALTER TABLE labeling_annotation SET (fillfactor = 85)"


class Migration(migrations.Migration):
    dependencies = [("labeling", "0007_bulk_append")]

    operations = [
        migrations.RunSQL(GONE, migrations.RunSQL.noop),
        migrations.RunSQL((files("labeling.log") / "sql" / "append.sql").read_text(), migrations.RunSQL.noop),
        migrations.RunSQL(ROOM, migrations.RunSQL.noop),
    ]
