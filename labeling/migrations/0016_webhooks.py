"""Webhooks, how far each is told, and what became of its messages."""

from django.db import migrations, models

import labeling.log.models


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0015_staged_rows"),
    ]

    operations = [
        migrations.CreateModel(
            name="Webhook",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("log", models.UUIDField(db_index=True)),
                ("last_offset", models.BigIntegerField()),
                ("version", models.BigIntegerField()),
                ("owner_id", models.UUIDField(null=True)),
                ("address", models.TextField()),
                ("types", labeling.log.models.StoredJSON()),
                ("label_sets", labeling.log.models.StoredJSON()),
                ("name", models.TextField()),
                ("paused", models.BooleanField()),
                ("removed", models.BooleanField()),
                ("generation", models.BigIntegerField()),
                ("secret_at", models.DateTimeField()),
                ("created_offset", models.BigIntegerField()),
                ("created_by", models.UUIDField()),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="WebhookCursor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("webhook_id", models.UUIDField()),
                ("log", models.UUIDField()),
                ("offset", models.BigIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Active"), ("stopped", "Stopped")], default="active", max_length=10
                    ),
                ),
                ("failures", models.IntegerField(default=0)),
                ("reason", models.TextField(blank=True)),
                ("next_at", models.DateTimeField(null=True)),
                ("asked_at", models.DateTimeField(null=True)),
                ("lease", models.UUIDField(null=True)),
                ("leased_until", models.DateTimeField(null=True)),
                ("last_ms", models.IntegerField(null=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("webhook_id", "log"), name="one_webhook_cursor_a_log")],
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("webhook_id", models.UUIDField()),
                ("log", models.UUIDField(null=True)),
                ("offset", models.BigIntegerField()),
                ("message", models.CharField(max_length=40)),
                ("type", models.CharField(max_length=50)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("delivered", "Delivered"),
                            ("failing", "Failing"),
                            ("dead", "Dead"),
                        ],
                        max_length=10,
                    ),
                ),
                ("attempts", models.IntegerField(default=0)),
                ("status_code", models.IntegerField(null=True)),
                ("duration_ms", models.IntegerField(null=True)),
                ("problem", models.TextField(blank=True)),
                ("first_at", models.DateTimeField(auto_now_add=True)),
                ("last_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["webhook_id", "last_at"], name="delivery_by_time")],
                "constraints": [
                    models.UniqueConstraint(fields=("webhook_id", "message"), name="one_delivery_a_message")
                ],
            },
        ),
    ]
