"""Files may be erased; what is left of one is its hash and its sizes."""

from __future__ import annotations

from django.db import migrations, models

FILL = "UPDATE labeling_datasetasset SET added_offset = last_offset"


class Migration(migrations.Migration):
    dependencies = [("labeling", "0017_activity_volume")]

    operations = [
        migrations.AddField("asset", "erased_at", models.DateTimeField(null=True)),
        migrations.AddIndex("asset", models.Index(fields=["sha256"], name="uploads_by_content")),
        migrations.AddField("datasetasset", "added_offset", models.BigIntegerField(default=0), preserve_default=False),
        migrations.AddField("datasetasset", "erased_at", models.DateTimeField(null=True)),
        migrations.AddField("datasetasset", "width", models.IntegerField(null=True)),
        migrations.AddField("datasetasset", "height", models.IntegerField(null=True)),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddIndex("datasetasset", models.Index(fields=["sha256"], name="asset_by_content")),
    ]
