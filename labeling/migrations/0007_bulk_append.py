"""log_append takes a bulk that was copied before; a database that is new has it from 0002 already."""

from __future__ import annotations

from importlib.resources import files

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("labeling", "0006_lists")]

    operations = [
        migrations.RunSQL((files("labeling.log") / "sql" / "append.sql").read_text(), migrations.RunSQL.noop),
    ]
