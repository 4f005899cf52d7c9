"""Who was erased, and the secrets that network addresses are hashed with."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0013_signing_keys"),
    ]

    operations = [
        migrations.AddField("Person", "erased_at", models.DateTimeField(null=True, editable=False)),
        migrations.CreateModel(
            name="AddressSecret",
            fields=[
                ("month", models.CharField(max_length=7, primary_key=True, serialize=False)),
                ("secret", models.BinaryField(null=True)),
                ("destroyed_at", models.DateTimeField(null=True)),
            ],
        ),
    ]
