"""The projected rows of a bulk are copied into temporary tables, as its events are."""

from __future__ import annotations

from importlib.resources import files

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("labeling", "0014_erasure")]

    operations = [
        migrations.RunSQL((files("labeling.log") / "sql" / "append.sql").read_text(), migrations.RunSQL.noop),
    ]
