"""The tables of releases: what is projected from the log, and how far the file of each release has come."""

from __future__ import annotations

from django.db import models

from labeling.log.models import StoredJSON
from labeling.models import Projected


class Release(Projected):
    """A named, frozen snapshot of a dataset. Projected from its stream, so nobody calls `.save()` on it."""

    id = models.UUIDField(primary_key=True, editable=False)
    version = models.BigIntegerField()
    name = models.TextField()
    description = models.TextField()
    cut_offset = models.BigIntegerField()
    frozen_offset = models.BigIntegerField()
    choice = StoredJSON()
    terms = StoredJSON()
    withdrawn = models.BooleanField()
    created_by = models.UUIDField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset_id", "name"], condition=models.Q(withdrawn=False), name="release_name_taken"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def at_offset(self) -> int:
        """The offset that it froze."""
        return self.frozen_offset


class Build(models.Model):
    """The job that makes a file. Not a projection: it says what workers did and where the file is, and losing it only
    means building again."""

    class Status(models.TextChoices):
        """The protocol's words."""

        PENDING = "PENDING"
        SUCCEEDED = "SUCCEEDED"
        FAILED = "FAILED"

    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    error = models.TextField(blank=True)
    path = models.TextField(blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size_bytes = models.BigIntegerField(null=True)
    samples_count = models.BigIntegerField(default=0)
    samples_total = models.BigIntegerField(default=0)  #: that are looked at; 0 where that is not known yet
    tries = models.IntegerField(default=0)
    updated_at = models.DateTimeField()

    class Meta:
        abstract = True


class Training(Projected):
    """A training that used a release. Projected from its stream."""

    id = models.UUIDField(primary_key=True, editable=False)
    release_id = models.UUIDField(db_index=True)
    name = models.TextField()
    model = models.TextField()
    model_version = models.TextField()
    code = models.TextField()
    metrics = StoredJSON()
    link = models.TextField()
    created_by = models.UUIDField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class ReleaseBuild(Build):
    """The job that makes a release's file. A release without a row here was not begun yet.

    `chain` is the log's chain hash at the frozen offset, kept apart from the log so that a lost tail shows.
    """

    release_id = models.UUIDField(primary_key=True, editable=False)
    chain = models.CharField(max_length=64, blank=True)
    manifest = models.TextField(blank=True)  #: canonical JSON; the release's identity is its hash
    identity = models.CharField(max_length=64, blank=True)
    assets_path = models.TextField(blank=True)  #: the list of the files that it refers to, a line each
    assets_sha256 = models.CharField(max_length=64, blank=True)
    assets_size_bytes = models.BigIntegerField(null=True)
    signature = models.JSONField(null=True)  #: over the manifest, by a key of the installation; no part of the identity
    labels_left_out = models.BigIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["updated_at"], condition=models.Q(status="PENDING"), name="release_build_pending")
        ]

    def __str__(self) -> str:
        return f"{self.release_id}: {self.status}"


class ExportBuild(Build):
    """The job that writes a release in a format of others, and where its archive is.

    The id follows from release, label set, format, version and options, so the same export is asked for, made and kept
    once.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    release_id = models.UUIDField(db_index=True)
    label_set = models.TextField()
    format = models.TextField()
    format_version = models.IntegerField()
    options = models.JSONField()
    losses = models.JSONField(default=list)

    class Meta:
        indexes = [
            models.Index(fields=["updated_at"], condition=models.Q(status="PENDING"), name="release_export_pending")
        ]

    def __str__(self) -> str:
        return f"{self.format} of {self.release_id}: {self.status}"


class BuildShard(models.Model):
    """A stretch of the samples of a build, made by one worker. Gone when the build's file is made.

    `build` is the id of a release or of an export. The samples are those that were added after one offset of the log
    and up to another; `facts` say what is in the file at `path`.
    """

    id = models.BigAutoField(primary_key=True)
    build = models.UUIDField()
    number = models.IntegerField()
    after = models.BigIntegerField()
    up_to = models.BigIntegerField()
    samples_total = models.BigIntegerField()
    samples_count = models.BigIntegerField(default=0)
    path = models.TextField(blank=True)
    facts = models.JSONField(default=dict)
    tries = models.IntegerField(default=0)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["build", "number"], name="release_shard_numbered")]

    def __str__(self) -> str:
        return f"{self.build}, shard {self.number}"


class Import(Projected):
    """A file that was imported. Projected from its stream, so nobody calls `.save()` on it."""

    id = models.UUIDField(primary_key=True, editable=False)
    version = models.BigIntegerField()
    state = models.TextField()
    reason = models.TextField()
    format = models.TextField()
    source = StoredJSON()
    wish = StoredJSON()
    counts = StoredJSON()
    started_by = models.UUIDField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.format}: {self.state}"


class ImportJob(models.Model):
    """An import on its way (or the dry run of one, or the undoing of one): how far it is, and what was found.

    Not a projection: a queued job. What it did to the dataset is in the log, and a job that is begun again finds there
    which chunks are done. A dry run leaves nothing but this row.
    """

    class Status(models.TextChoices):
        """What there is to say of a job; those of releases, and one more."""

        PENDING = "PENDING"
        SUCCEEDED = "SUCCEEDED"
        FAILED = "FAILED"
        CANCELED = "CANCELED"

    id = models.UUIDField(primary_key=True, editable=False)
    dataset_id = models.UUIDField(db_index=True)
    undoes = models.UUIDField(null=True)  #: the import that it takes back
    wish = models.JSONField()
    source = models.JSONField(default=dict)
    intent = models.JSONField()  #: author_kind, tool, reason (encrypted) of who asked
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    is_begun = models.BooleanField(default=False)
    cancel = models.BooleanField(default=False)
    error = models.TextField(blank=True)
    counts = models.JSONField(default=dict)
    samples_done = models.BigIntegerField(default=0)
    samples_total = models.BigIntegerField(null=True)
    errors_count = models.BigIntegerField(default=0)
    notes_count = models.BigIntegerField(default=0)
    tries = models.IntegerField(default=0)
    created_by = models.UUIDField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "import"
        indexes = [
            models.Index(fields=["updated_at"], condition=models.Q(status="PENDING"), name="release_import_pending")
        ]

    def __str__(self) -> str:
        return f"{self.wish.get('format', 'undo')}: {self.status}"

    @property
    def dry_run(self) -> bool:
        return bool(self.wish.get("dry_run"))


class ImportFinding(models.Model):
    """Something in a file that could not be imported, or not whole. Goes with its job, and is no projection."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, db_constraint=False)
    number = models.BigIntegerField()
    where = models.TextField()
    message = models.TextField()
    level = models.CharField(max_length=8)

    class Meta:
        indexes = [models.Index(fields=["job", "number"], name="release_import_finding")]

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"
