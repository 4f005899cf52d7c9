"""The log: its tables, its triggers, and the function that appends to it."""

from __future__ import annotations

from importlib.resources import files

from django.db import migrations


def sql(name: str) -> str:
    return (files("labeling.log") / "sql" / name).read_text()


class Migration(migrations.Migration):
    dependencies = [("labeling", "0001_initial")]

    operations = [
        migrations.RunSQL(sql("tables.sql"), migrations.RunSQL.noop),
        migrations.RunSQL(sql("append.sql"), migrations.RunSQL.noop),
    ]
