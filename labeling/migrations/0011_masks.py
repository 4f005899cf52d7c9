"""Masks of labels, and where their files are."""

from __future__ import annotations

from django.db import migrations, models

import labeling.log.models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0010_reports")]

    operations = [
        migrations.CreateModel(
            name="LabelMasks",
            fields=[
                ("dataset_id", models.UUIDField(db_index=True)),
                ("last_offset", models.BigIntegerField()),
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("sample_id", models.UUIDField(db_index=True)),
                ("version", models.BigIntegerField()),
                ("categories_offset", models.BigIntegerField()),
                ("pictures", models.IntegerField()),
                ("made", models.IntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Mask",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("dataset_id", models.UUIDField(db_index=True)),
                ("label_id", models.UUIDField()),
                ("picture", models.IntegerField()),
                ("width", models.IntegerField()),
                ("height", models.IntegerField()),
                ("content", models.TextField()),
                ("keys", labeling.log.models.StoredJSON()),
                ("segments", labeling.log.models.StoredJSON()),
                ("problem", models.TextField()),
            ],
            options={"indexes": [models.Index(fields=["label_id", "picture"], name="mask_of_label")]},
        ),
        migrations.CreateModel(
            name="MaskFile",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "dataset_id", "key", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("dataset_id", models.UUIDField()),
                ("key", models.CharField(max_length=64)),
                ("sha256", models.CharField(max_length=64)),
                ("size_bytes", models.BigIntegerField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={"indexes": [models.Index(fields=["sha256"], name="mask_file_by_hash")]},
        ),
    ]
