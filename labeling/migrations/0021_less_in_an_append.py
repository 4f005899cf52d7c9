"""What an append leaves out: a label has one index less and an edit changes none of them, for the order of updates is
kept in buckets and pages have room for a new row; what two CHECKs looked at, the append looks at itself."""

from __future__ import annotations

from importlib.resources import files

from django.db import migrations, models

CHECKED_BY_THE_APPEND = """
ALTER TABLE log_event DROP CONSTRAINT log_event_author_kind_check;
ALTER TABLE log_head DROP CONSTRAINT log_head_kind_check;
"""
BUCKETS = "UPDATE labeling_label SET last_bucket = (last_offset >> 10) + 1"
ROOM = "ALTER TABLE labeling_label SET (fillfactor = 85)"
NO_ROOM = "ALTER TABLE labeling_label RESET (fillfactor)"


class Migration(migrations.Migration):
    dependencies = [("labeling", "0020_sweeping")]

    operations = [
        migrations.RemoveIndex(model_name="label", name="label_by_status"),
        migrations.RemoveIndex(model_name="label", name="label_by_update"),
        migrations.AddField(
            model_name="label", name="last_bucket", field=models.BigIntegerField(default=0), preserve_default=False
        ),
        migrations.RunSQL(ROOM, NO_ROOM),
        migrations.RunSQL(BUCKETS, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="label",
            index=models.Index(fields=["dataset_id", "label_set_id", "last_bucket"], name="label_by_update"),
        ),
        migrations.RunSQL("DROP TRIGGER IF EXISTS counted_update ON labeling_label", migrations.RunSQL.noop),
        migrations.RunSQL((files("labeling") / "sql" / "lists.sql").read_text(), migrations.RunSQL.noop),
        migrations.RunSQL(CHECKED_BY_THE_APPEND, migrations.RunSQL.noop),
        migrations.RunSQL((files("labeling.log") / "sql" / "append.sql").read_text(), migrations.RunSQL.noop),
    ]
