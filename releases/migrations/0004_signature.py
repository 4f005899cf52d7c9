"""The signature of a release's manifest stands beside it."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("releases", "0003_choice")]

    operations = [
        migrations.AddField("releasebuild", "signature", models.JSONField(null=True)),
    ]
