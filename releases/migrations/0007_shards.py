"""Builds are made in shards, and say of how many samples."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("releases", "0006_imports")]

    operations = [
        migrations.AddField("releasebuild", "samples_total", models.BigIntegerField(default=0)),
        migrations.AddField("exportbuild", "samples_total", models.BigIntegerField(default=0)),
        migrations.CreateModel(
            name="BuildShard",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("build", models.UUIDField()),
                ("number", models.IntegerField()),
                ("after", models.BigIntegerField()),
                ("up_to", models.BigIntegerField()),
                ("samples_total", models.BigIntegerField()),
                ("samples_count", models.BigIntegerField(default=0)),
                ("path", models.TextField(blank=True)),
                ("facts", models.JSONField(default=dict)),
                ("tries", models.IntegerField(default=0)),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=["build", "number"], name="release_shard_numbered")]
            },
        ),
    ]
