"""Rows of a bulk whose offsets are known are put where they belong before the log is locked."""

from __future__ import annotations

from importlib.resources import files

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("labeling", "0024_new_rows")]

    operations = [
        migrations.RunSQL((files("labeling.log") / "sql" / "append.sql").read_text(), migrations.RunSQL.noop),
    ]
