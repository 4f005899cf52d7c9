"""Rows of a bulk that are known to be new are not looked for."""

from __future__ import annotations

from importlib.resources import files

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("labeling", "0023_steady_plans")]

    operations = [
        migrations.RunSQL(
            "DROP FUNCTION IF EXISTS log_project_staged(text, timestamptz, bigint);\n"
            + (files("labeling.log") / "sql" / "append.sql").read_text(),
            migrations.RunSQL.noop,
        ),
    ]
