"""How many signals of work somebody told today."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0016_webhooks"),
    ]

    operations = [
        migrations.CreateModel(
            name="ActivityVolume",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "person", "day", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("person", models.UUIDField()),
                ("day", models.DateField(db_index=True)),
                ("count", models.IntegerField()),
            ],
        ),
    ]
