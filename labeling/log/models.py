"""The tables of the log. Only `store` reads or writes them; the event table is immutable (see sql/tables.sql)."""

from __future__ import annotations

from typing import Any

from django.db import models

from labeling.log import values


class StoredJSON(models.JSONField):
    """jsonb, decoded by the one loader of stored JSON."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if value == "{}":
            return {}  # most metadata; a page of samples has a thousand
        return values.load_stored(value) if isinstance(value, str | bytes) else value


class LogHead(models.Model):
    """The counter row of one log: where it ends, and its chain there."""

    log = models.UUIDField(primary_key=True)
    kind = models.TextField()
    head = models.BigIntegerField()
    chain = models.BinaryField()
    recorded_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "log_head"


class StoredEvent(models.Model):
    """One event. The table's key is (log, offset); Django wants one column, and event ids are unique."""

    event_id = models.UUIDField(primary_key=True)
    log = models.UUIDField()
    offset = models.BigIntegerField()
    stream = models.TextField()
    version = models.BigIntegerField()
    type = models.TextField()
    schema_version = models.SmallIntegerField()
    data = StoredJSON()
    author = models.UUIDField()
    author_kind = models.TextField()
    on_behalf_of = models.UUIDField(null=True)
    tool = models.TextField(null=True)
    work_session = models.UUIDField(null=True)
    reason = models.TextField(null=True)
    command = models.UUIDField()
    causation = models.UUIDField(null=True)
    correlation = models.UUIDField(null=True)
    seen_offset = models.BigIntegerField(null=True)
    app_version = models.TextField()
    occurred_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()
    data_hash = models.BinaryField()
    chain = models.BinaryField()

    class Meta:
        managed = False
        db_table = "log_event"
        verbose_name = "event"


class Checkpoint(models.Model):
    """How far a catch-up projector has folded one log."""

    id = models.BigAutoField(primary_key=True)
    projection = models.TextField()
    log = models.UUIDField()
    offset = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "log_checkpoint"
