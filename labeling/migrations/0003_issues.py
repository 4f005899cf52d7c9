"""Issues and what was answered to them."""

from __future__ import annotations

from django.db import migrations, models

import labeling.log.models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0002_log")]

    operations = [
        migrations.CreateModel(
            name="Issue",
            fields=[
                ("dataset_id", models.UUIDField(db_index=True)),
                ("last_offset", models.BigIntegerField()),
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("version", models.BigIntegerField()),
                ("sample_id", models.UUIDField(db_index=True)),
                ("text", models.TextField()),
                ("status", models.TextField()),
                ("anchor", labeling.log.models.StoredJSON(null=True)),
                ("archived", models.BooleanField()),
                ("created_by", models.UUIDField()),
                ("created_at", models.DateTimeField()),
                ("updated_by", models.UUIDField()),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["dataset_id", "created_at", "id"], name="issue_by_age")],
            },
        ),
        migrations.CreateModel(
            name="IssueComment",
            fields=[
                ("dataset_id", models.UUIDField(db_index=True)),
                ("last_offset", models.BigIntegerField()),
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("issue_id", models.UUIDField(db_index=True)),
                ("version", models.BigIntegerField()),
                ("text", models.TextField()),
                ("created_by", models.UUIDField()),
                ("created_at", models.DateTimeField()),
            ],
        ),
    ]
