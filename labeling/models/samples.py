"""Samples, their statuses, and the issues raised about them."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.db import models

from labeling.log.models import StoredJSON
from labeling.models.projected import Projected


class Sample(Projected):
    """One thing to label. `created_offset` is the offset of its first event: the order in which samples came."""

    id = models.UUIDField(primary_key=True, editable=False)
    version = models.BigIntegerField()
    name = models.TextField(db_collation="C")
    attributes = StoredJSON()
    metadata = StoredJSON()
    priority = models.FloatField()
    readme = models.TextField()
    assigned_labeler = models.UUIDField(null=True)
    assigned_reviewer = models.UUIDField(null=True)
    archived = models.BooleanField()
    created_by = models.UUIDField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    created_offset = models.BigIntegerField()

    class Meta:
        constraints = [
            # Also the order by name.
            models.UniqueConstraint(
                fields=["dataset_id", "name"], condition=models.Q(archived=False), name="sample_name_taken"
            )
        ]
        indexes = [
            models.Index(
                fields=["dataset_id", "created_offset"], condition=models.Q(archived=False), name="sample_by_age"
            ),
            models.Index(
                fields=["dataset_id", "priority", "created_offset"],
                include=["id"],
                condition=models.Q(archived=False),
                name="sample_by_priority",
            ),
            # Most samples have no metadata; they cost this index nothing.
            GinIndex(
                fields=["metadata"],
                opclasses=["jsonb_path_ops"],
                condition=models.Q(archived=False) & ~models.Q(metadata={}),
                name="sample_by_metadata",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SampleStatus(models.Model):
    """The status of a live sample in a label set: of its label there; in the ground truth also '' where it has none.

    This table and the two below are kept by triggers on the projections (sql/lists.sql), so that lists need to sort and
    to count nothing; `manage.py verify` counts again.
    """

    pk = models.CompositePrimaryKey("sample_id", "label_set_id")
    sample_id = models.UUIDField()
    label_set_id = models.UUIDField()
    dataset_id = models.UUIDField()
    status = models.TextField()
    created_offset = models.BigIntegerField()

    class Meta:
        indexes = [
            models.Index(
                fields=["dataset_id", "label_set_id", "status", "created_offset"],
                include=["sample_id"],
                name="sample_by_status",
            )
        ]


class Issue(Projected):
    """What somebody said about a sample. `text` is encrypted with the key of who wrote it last."""

    id = models.UUIDField(primary_key=True, editable=False)
    version = models.BigIntegerField()
    sample_id = models.UUIDField(db_index=True)
    text = models.TextField()
    status = models.TextField()
    anchor = StoredJSON(null=True)
    archived = models.BooleanField()
    created_by = models.UUIDField()
    created_at = models.DateTimeField()
    updated_by = models.UUIDField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["dataset_id", "created_at", "id"], name="issue_by_age")]

    def __str__(self) -> str:
        return getattr(self, "sample_name", None) or str(self.id)[:8]  # of a query that adds its sample's name


class IssueComment(Projected):
    """An answer to an issue, encrypted with its writer's key."""

    id = models.UUIDField(primary_key=True, editable=False)
    issue_id = models.UUIDField(db_index=True)
    version = models.BigIntegerField()
    text = models.TextField()
    created_by = models.UUIDField()
    created_at = models.DateTimeField()
