"""Members of organisations, keys with a scope and an origin, the security log and what bounds it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0004_work_units"),
    ]

    operations = [
        # Of a log that the first version made; a newer sql/tables.sql says the same.
        migrations.RunSQL(
            "ALTER TABLE log_head DROP CONSTRAINT log_head_kind_check, ADD CONSTRAINT log_head_kind_check"
            " CHECK (kind IN ('dataset', 'installation', 'security'))",
            migrations.RunSQL.noop,
        ),
        migrations.CreateModel(
            name="LoginAttempts",
            fields=[
                ("source", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("count", models.IntegerField()),
                ("last_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.AddField(
            model_name="apikey",
            name="last_used_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="origin",
            field=models.CharField(default="person", max_length=10),
        ),
        migrations.AddField(
            model_name="apikey",
            name="scope",
            field=models.CharField(default="manage", max_length=10),
        ),
        migrations.CreateModel(
            name="OrganizationMember",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("log", models.UUIDField()),
                ("last_offset", models.BigIntegerField()),
                ("organization_id", models.UUIDField()),
                ("person_id", models.UUIDField(db_index=True)),
                ("role", models.TextField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization_id", "person_id"), name="organization_member_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="SecurityTally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("minute", models.DateTimeField()),
                ("source", models.CharField(max_length=64)),
                ("grouping", models.CharField(max_length=64)),
                ("type", models.CharField(max_length=50)),
                ("data", models.JSONField()),
                ("author", models.UUIDField()),
                ("author_kind", models.CharField(max_length=10)),
                ("untold", models.IntegerField()),
                ("last_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["minute", "grouping"], name="security_tally_grouping")],
                "constraints": [models.UniqueConstraint(fields=("minute", "source"), name="security_tally_source")],
            },
        ),
    ]
