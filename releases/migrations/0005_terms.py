"""The terms of a release, and the list of the files that it refers to."""

from __future__ import annotations

from django.db import migrations, models

import labeling.log.models


class Migration(migrations.Migration):
    dependencies = [("releases", "0004_signature")]

    operations = [
        migrations.AddField("release", "terms", labeling.log.models.StoredJSON(default=dict), preserve_default=False),
        migrations.AddField(
            "releasebuild", "assets_path", models.TextField(blank=True, default=""), preserve_default=False
        ),
        migrations.AddField(
            "releasebuild",
            "assets_sha256",
            models.CharField(blank=True, default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField("releasebuild", "assets_size_bytes", models.BigIntegerField(null=True)),
    ]
