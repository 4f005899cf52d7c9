"""What a release froze and holds may be chosen; its manifest is kept beside its file."""

from __future__ import annotations

from django.db import migrations, models

import labeling.log.models

# Releases from before hold everything, at the offset before the one at which they were cut.
FILL = "UPDATE releases_release SET frozen_offset = cut_offset - 1"
# Their files have no manifest, so they are made again, byte for byte the same.
AGAIN = "UPDATE releases_releasebuild SET status = 'PENDING', tries = 0 WHERE status = 'SUCCEEDED'"


class Migration(migrations.Migration):
    dependencies = [("releases", "0002_export_builds")]

    operations = [
        migrations.AddField("release", "frozen_offset", models.BigIntegerField(default=0), preserve_default=False),
        migrations.AddField("release", "choice", labeling.log.models.StoredJSON(default=dict), preserve_default=False),
        migrations.AddField(
            "releasebuild", "manifest", models.TextField(blank=True, default=""), preserve_default=False
        ),
        migrations.AddField(
            "releasebuild", "identity", models.CharField(blank=True, default="", max_length=64), preserve_default=False
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RunSQL(AGAIN, migrations.RunSQL.noop),
    ]
