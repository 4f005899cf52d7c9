"""The dense frames of tracks."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sequences", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="TrackFrames",
            fields=[
                ("dataset_id", models.UUIDField(db_index=True)),
                ("last_offset", models.BigIntegerField()),
                ("key", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("label_id", models.UUIDField(db_index=True)),
                ("version", models.BigIntegerField()),
                ("clock", models.BinaryField()),
                ("order", models.FloatField()),
                ("data", models.BinaryField()),
                ("starts", django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
                ("ends", django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
            ],
        ),
        # Numbers hardly shrink, and of what is not compressed a window is read without the rest.
        migrations.RunSQL(
            "ALTER TABLE sequences_trackframes ALTER COLUMN data SET STORAGE EXTERNAL", migrations.RunSQL.noop
        ),
    ]
