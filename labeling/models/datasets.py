"""Datasets, who belongs to them, their label sets, files and counts."""

from __future__ import annotations

import uuid

from django.db import models

from labeling.log.models import StoredJSON
from labeling.models.people import Person
from labeling.models.projected import Projected


class Dataset(models.Model):
    """A collection of samples. Its id is the id of its log."""

    id = models.UUIDField(primary_key=True, editable=False)
    last_offset = models.BigIntegerField()
    version = models.BigIntegerField()
    owner_id = models.UUIDField()
    name = models.TextField()
    description = models.TextField()
    category = models.TextField()
    task_type = models.TextField()
    public = models.BooleanField()
    archived = models.BooleanField()
    deleted = models.BooleanField()
    readme = models.TextField()
    settings = StoredJSON()
    metadata = StoredJSON()
    task_attributes = StoredJSON()
    cloned_from = StoredJSON(null=True)
    created_by = models.UUIDField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner_id", "name"], condition=models.Q(deleted=False), name="dataset_name_taken"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Member(Projected):
    """A person's role in a dataset."""

    id = models.UUIDField(primary_key=True, editable=False)
    person_id = models.UUIDField(db_index=True)
    role = models.TextField()
    created_at = models.DateTimeField()


class LabelSet(Projected):
    """A named set of labels over a dataset."""

    id = models.UUIDField(primary_key=True, editable=False)
    name = models.TextField()
    description = models.TextField()
    kind = models.TextField()
    base_id = models.UUIDField(null=True)
    archived = models.BooleanField()
    created_by = models.UUIDField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset_id", "name"], condition=models.Q(archived=False), name="label_set_name_taken"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Asset(models.Model):
    """An uploaded file, content-addressed in storage and served without a key at /media/<token>/<filename>."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token = models.CharField(max_length=64, unique=True)
    filename = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100, blank=True)
    owner = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    sha256 = models.CharField(max_length=64, null=True)
    size_bytes = models.BigIntegerField(null=True)
    erased_at = models.DateTimeField(null=True)  #: its bytes are gone, and its address says so

    class Meta:
        indexes = [
            models.Index(fields=["sha256"], name="uploads_by_content"),
            # The sweeper asks for these every few seconds, and hardly any upload is one.
            models.Index(fields=["erased_at"], name="uploads_erased", condition=models.Q(erased_at__isnull=False)),
        ]


class DatasetAsset(Projected):
    """A file that the dataset refers to, pinned by its hash. Of an erased one its picture's size is kept too."""

    id = models.UUIDField(primary_key=True, editable=False)
    added_offset = models.BigIntegerField()
    asset_id = models.UUIDField()
    token = models.TextField()
    filename = models.TextField()
    sha256 = models.TextField()
    size_bytes = models.BigIntegerField()
    content_type = models.TextField()
    created_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)
    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)

    class Meta:
        verbose_name = "file"
        indexes = [
            models.Index(fields=["dataset_id", "token"], name="asset_by_token"),
            models.Index(fields=["sha256"], name="asset_by_content"),
        ]


class StatusCount(models.Model):
    """How many live samples of a dataset have a status in a label set."""

    pk = models.CompositePrimaryKey("dataset_id", "label_set_id", "status")
    dataset_id = models.UUIDField()
    label_set_id = models.UUIDField()
    status = models.TextField()
    count = models.BigIntegerField()


class SampleCount(models.Model):
    """How many live samples of a dataset were created in one bucket of 1024 offsets; see queries.sample_pages."""

    pk = models.CompositePrimaryKey("dataset_id", "bucket")
    dataset_id = models.UUIDField()
    bucket = models.BigIntegerField()
    count = models.BigIntegerField()
