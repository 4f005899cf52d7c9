"""Snapshots of labels that have many events."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0011_masks"),
    ]

    operations = [
        migrations.CreateModel(
            name="LabelSnapshot",
            fields=[
                ("dataset_id", models.UUIDField(db_index=True)),
                ("last_offset", models.BigIntegerField()),
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("stream", models.TextField(db_collation="C")),
                ("version", models.BigIntegerField()),
                ("state", models.TextField()),
            ],
            options={
                "indexes": [models.Index(fields=["stream", "version"], name="snapshot_of_label")],
            },
        ),
    ]
