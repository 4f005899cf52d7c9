"""Work units, and what their projector remembers between two pages of a log."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0003_issues")]

    operations = [
        migrations.CreateModel(
            name="WorkUnit",
            fields=[
                ("dataset_id", models.UUIDField(db_index=True)),
                ("last_offset", models.BigIntegerField()),
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("sample_id", models.UUIDField()),
                ("label_set_id", models.UUIDField()),
                ("author", models.UUIDField()),
                ("work_type", models.TextField()),
                ("next_label_status", models.TextField(null=True)),
                ("active_us", models.BigIntegerField()),
                ("inactive_us", models.BigIntegerField()),
                ("gaps", models.IntegerField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["dataset_id", "created_at", "last_offset"], name="work_unit_by_age"),
                    models.Index(fields=["dataset_id", "author", "created_at"], name="work_unit_by_author"),
                ],
            },
        ),
        migrations.CreateModel(
            name="UnsavedWork",
            fields=[
                ("dataset_id", models.UUIDField(db_index=True)),
                ("last_offset", models.BigIntegerField()),
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("sample_id", models.UUIDField()),
                ("author", models.UUIDField()),
                ("active_us", models.BigIntegerField()),
                ("inactive_us", models.BigIntegerField()),
                ("gaps", models.IntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="LastSignal",
            fields=[
                ("dataset_id", models.UUIDField(db_index=True)),
                ("last_offset", models.BigIntegerField()),
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("sample_id", models.UUIDField()),
                ("author", models.UUIDField()),
                ("work_session", models.UUIDField(null=True)),
                ("at", models.DateTimeField()),
            ],
        ),
    ]
