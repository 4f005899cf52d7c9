"""Trainings that used a release."""

from __future__ import annotations

from django.db import migrations, models

import labeling.log.models


class Migration(migrations.Migration):
    dependencies = [("releases", "0007_shards")]

    operations = [
        migrations.CreateModel(
            name="Training",
            fields=[
                ("dataset_id", models.UUIDField(db_index=True)),
                ("last_offset", models.BigIntegerField()),
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("release_id", models.UUIDField(db_index=True)),
                ("name", models.TextField()),
                ("model", models.TextField()),
                ("model_version", models.TextField()),
                ("code", models.TextField()),
                ("metrics", labeling.log.models.StoredJSON()),
                ("link", models.TextField()),
                ("created_by", models.UUIDField()),
                ("created_at", models.DateTimeField()),
            ],
            options={"abstract": False},
        ),
    ]
