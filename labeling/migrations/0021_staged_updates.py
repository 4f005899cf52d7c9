"""The rows of a bulk that are there already are updated, and the others inserted: an upsert costs more than both."""

from __future__ import annotations

from importlib.resources import files

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("labeling", "0020_sweeping")]

    operations = [
        migrations.RunSQL((files("labeling.log") / "sql" / "append.sql").read_text(), migrations.RunSQL.noop),
    ]
