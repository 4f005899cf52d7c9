"""Reports that somebody keeps."""

from __future__ import annotations

from django.db import migrations, models

import labeling.log.models


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0018_erased_assets"),
    ]

    operations = [
        migrations.CreateModel(
            name="SavedReport",
            fields=[
                ("dataset_id", models.UUIDField(db_index=True)),
                ("last_offset", models.BigIntegerField()),
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("version", models.BigIntegerField()),
                ("name", models.TextField()),
                ("report", models.TextField()),
                ("question", labeling.log.models.StoredJSON()),
                ("at_offset", models.BigIntegerField()),
                ("saved_offset", models.BigIntegerField()),
                ("removed", models.BooleanField()),
                ("created_by", models.UUIDField()),
                ("created_at", models.DateTimeField()),
            ],
            options={"abstract": False},
        ),
    ]
