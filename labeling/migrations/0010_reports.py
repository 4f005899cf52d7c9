"""The ledger that reports are computed from, and the signals of people at work."""

from __future__ import annotations

from django.db import migrations, models

import labeling.log.models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0009_history")]

    operations = [
        migrations.CreateModel(
            name="Activity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("person", models.UUIDField()),
                ("dataset_id", models.UUIDField()),
                ("sample_id", models.UUIDField()),
                ("label_set_id", models.UUIDField(null=True)),
                ("session", models.UUIDField()),
                ("number", models.BigIntegerField()),
                ("kind", models.SmallIntegerField()),
                ("at", models.DateTimeField()),
                ("received_offset", models.BigIntegerField()),
            ],
            options={
                "indexes": [models.Index(fields=["dataset_id", "at"], name="activity_by_time")],
                "constraints": [
                    models.UniqueConstraint(fields=("person", "session", "number"), name="one_signal_of_a_number")
                ],
            },
        ),
        migrations.CreateModel(
            name="LedgerChunk",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("dataset_id", models.UUIDField()),
                ("number", models.BigIntegerField()),
                ("last_offset", models.BigIntegerField()),
                ("events", models.BinaryField()),
                ("pieces", models.BinaryField()),
                ("samples", models.BinaryField()),
                ("annotations", models.BinaryField()),
                ("words", labeling.log.models.StoredJSON()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("dataset_id", "number"), name="one_chunk_of_a_number")],
            },
        ),
    ]
