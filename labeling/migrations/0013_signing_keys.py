"""The keys that the installation signs with."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0012_snapshots"),
    ]

    operations = [
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("log", models.UUIDField()),
                ("last_offset", models.BigIntegerField()),
                ("key", models.TextField(unique=True)),
                ("public", models.TextField()),
                ("added_offset", models.BigIntegerField()),
                ("added_at", models.DateTimeField()),
                ("retired_at", models.DateTimeField(null=True)),
            ],
        ),
    ]
