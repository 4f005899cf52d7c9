"""Lists that stay fast: the order in which samples came, indexes for every sort, counts that triggers keep."""

from __future__ import annotations

from importlib.resources import files

import django.contrib.postgres.indexes
from django.db import migrations, models

# A sample's first event says where it came; a row without a log (which `verify` reports) keeps what it has.
FILL = """
UPDATE labeling_sample s SET created_offset = coalesce(
    (SELECT e."offset" FROM log_event e WHERE e.log = s.dataset_id AND e.stream = 'sample/' || s.id AND e.version = 1),
    s.last_offset)
"""
COUNTS = """
INSERT INTO labeling_samplecount SELECT c.* FROM labeling_dataset d, LATERAL counted_labeling_samplecount(d.id) c;
INSERT INTO labeling_samplestatus SELECT c.* FROM labeling_dataset d, LATERAL counted_labeling_samplestatus(d.id) c;
"""


class Migration(migrations.Migration):
    dependencies = [("labeling", "0005_organizations_keys_and_security")]

    operations = [
        migrations.CreateModel(
            name="SampleStatus",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "sample_id", "label_set_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("sample_id", models.UUIDField()),
                ("label_set_id", models.UUIDField()),
                ("dataset_id", models.UUIDField()),
                ("status", models.TextField()),
                ("created_offset", models.BigIntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["dataset_id", "label_set_id", "status", "created_offset"],
                        include=["sample_id"],
                        name="sample_by_status",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="StatusCount",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "dataset_id",
                        "label_set_id",
                        "status",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("dataset_id", models.UUIDField()),
                ("label_set_id", models.UUIDField()),
                ("status", models.TextField()),
                ("count", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="SampleCount",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "dataset_id", "bucket", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("dataset_id", models.UUIDField()),
                ("bucket", models.BigIntegerField()),
                ("count", models.BigIntegerField()),
            ],
        ),
        migrations.RemoveIndex(model_name="sample", name="sample_by_age"),
        migrations.RemoveIndex(model_name="sample", name="sample_by_priority"),
        migrations.AddField(
            model_name="sample",
            name="created_offset",
            field=models.BigIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="sample",
            index=models.Index(
                condition=models.Q(("archived", False)),
                fields=["dataset_id", "created_offset"],
                name="sample_by_age",
            ),
        ),
        migrations.AddIndex(
            model_name="sample",
            index=models.Index(
                condition=models.Q(("archived", False)),
                fields=["dataset_id", "priority", "created_offset"],
                include=["id"],
                name="sample_by_priority",
            ),
        ),
        migrations.AddIndex(
            model_name="sample",
            index=django.contrib.postgres.indexes.GinIndex(
                condition=models.Q(("archived", False), models.Q(("metadata", {}), _negated=True)),
                fields=["metadata"],
                name="sample_by_metadata",
                opclasses=["jsonb_path_ops"],
            ),
        ),
        migrations.AlterField(model_name="label", name="dataset_id", field=models.UUIDField()),
        migrations.AddIndex(
            model_name="label",
            index=models.Index(
                condition=models.Q(("deleted", False)),
                fields=["dataset_id", "label_set_id", "last_offset"],
                name="label_by_update",
            ),
        ),
        migrations.RunSQL((files("labeling") / "sql" / "lists.sql").read_text(), migrations.RunSQL.noop),
        migrations.RunSQL(COUNTS, migrations.RunSQL.noop),
    ]
