"""Who worked on what, and for how long."""

from __future__ import annotations

from django.db import models

from labeling.log.models import StoredJSON
from labeling.models.projected import Projected


class WorkUnit(Projected):
    """One save of a label, with the time that its author spent on it. Filled by a catch-up projector."""

    id = models.UUIDField(primary_key=True, editable=False)
    sample_id = models.UUIDField()
    label_set_id = models.UUIDField()
    author = models.UUIDField()
    work_type = models.TextField()
    next_label_status = models.TextField(null=True)
    active_us = models.BigIntegerField()
    inactive_us = models.BigIntegerField()
    gaps = models.IntegerField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["dataset_id", "created_at", "last_offset"], name="work_unit_by_age"),
            models.Index(fields=["dataset_id", "author", "created_at"], name="work_unit_by_author"),
        ]


class UnsavedWork(Projected):
    """What somebody spent on a sample since they last saved a label of it; their next work unit takes it."""

    id = models.UUIDField(primary_key=True, editable=False)
    sample_id = models.UUIDField()
    author = models.UUIDField()
    active_us = models.BigIntegerField()
    inactive_us = models.BigIntegerField()
    gaps = models.IntegerField()


class LastSignal(Projected):
    """When and where somebody was last at work in a dataset."""

    id = models.UUIDField(primary_key=True, editable=False)
    sample_id = models.UUIDField()
    author = models.UUIDField()
    work_session = models.UUIDField(null=True)
    at = models.DateTimeField()


class Activity(models.Model):
    """What a client told of a person at work: a sample opened or closed, or a heartbeat. In no log, by exception: it is
    much and personal, so it is deleted after a time; ActivityClosed keeps what counts."""

    person = models.UUIDField()
    dataset_id = models.UUIDField()
    sample_id = models.UUIDField()
    label_set_id = models.UUIDField(null=True)
    session = models.UUIDField()
    number = models.BigIntegerField()  #: its place in the session, by the client; told twice it counts once
    kind = models.SmallIntegerField()
    at = models.DateTimeField()
    received_offset = models.BigIntegerField()  #: how far the dataset's log was when it came

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "session", "number"], name="one_signal_of_a_number"),
        ]
        indexes = [
            models.Index(fields=["dataset_id", "at"], name="activity_by_time"),
            models.Index(fields=["at"], name="activity_by_age"),  # the sweeper asks for the oldest every few seconds
        ]


class ActivityVolume(models.Model):
    """How many signals somebody told on one day (UTC), also those that were not kept; forgotten when it is over."""

    pk = models.CompositePrimaryKey("person", "day")
    person = models.UUIDField()
    day = models.DateField(db_index=True)
    count = models.IntegerField()


class LedgerChunk(models.Model):
    """The envelopes of the events at 512 offsets of a dataset's log, in columns; see reports.ledger."""

    id = models.UUIDField(primary_key=True, editable=False)
    dataset_id = models.UUIDField()
    number = models.BigIntegerField()
    last_offset = models.BigIntegerField()
    events = models.BinaryField()
    pieces = models.BinaryField()
    samples = models.BinaryField()
    annotations = models.BinaryField()
    words = StoredJSON()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset_id", "number"], name="one_chunk_of_a_number")]


class Contribution(models.Model):
    """What one author did to a dataset on one day (UTC), counted by event type. Filled by a catch-up projector."""

    id = models.UUIDField(primary_key=True, editable=False)
    dataset_id = models.UUIDField(db_index=True)
    author = models.UUIDField()
    author_kind = models.TextField()
    day = models.DateField()
    counts = StoredJSON()


class SavedReport(Projected):
    """A report that somebody keeps: a question about the dataset at an offset."""

    id = models.UUIDField(primary_key=True, editable=False)
    version = models.BigIntegerField()
    name = models.TextField()
    report = models.TextField()
    question = StoredJSON()
    at_offset = models.BigIntegerField()
    saved_offset = models.BigIntegerField()
    removed = models.BooleanField()
    created_by = models.UUIDField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
