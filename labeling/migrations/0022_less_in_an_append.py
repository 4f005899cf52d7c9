"""A label has one index less, a single row's columns are taken out one by one, and what two CHECKs looked at the append
looks at itself."""

from __future__ import annotations

from importlib.resources import files

from django.db import migrations, models

CHECKED_BY_THE_APPEND = """
ALTER TABLE log_event DROP CONSTRAINT log_event_author_kind_check;
ALTER TABLE log_head DROP CONSTRAINT log_head_kind_check;
"""


class Migration(migrations.Migration):
    dependencies = [("labeling", "0021_staged_updates")]

    operations = [
        migrations.RemoveIndex(model_name="label", name="label_by_status"),
        migrations.RemoveIndex(model_name="label", name="label_by_update"),
        migrations.AddIndex(
            model_name="label",
            index=models.Index(fields=["dataset_id", "label_set_id", "last_offset"], name="label_by_update"),
        ),
        migrations.RunSQL(CHECKED_BY_THE_APPEND, migrations.RunSQL.noop),
        migrations.RunSQL((files("labeling.log") / "sql" / "append.sql").read_text(), migrations.RunSQL.noop),
    ]
