"""What a bulk was copied to is not emptied by its commit."""

from __future__ import annotations

from importlib.resources import files

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("labeling", "0025_rows_in_their_place")]

    operations = [
        migrations.RunSQL((files("labeling.log") / "sql" / "append.sql").read_text(), migrations.RunSQL.noop),
    ]
