"""The tables of labeling: people and keys, files, and what projectors fill from the log.

A projected row is written only by `log_append` and by a rebuild, from what a pure fold makes; nobody calls `.save()` on
it. Relations are plain uuids: a projection is rebuilt table by table and must not depend on another's order.
"""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from labeling.log.models import Checkpoint, LogHead, StoredEvent, StoredJSON

__all__ = [
    "Activity",
    "ActivityVolume",
    "AddressSecret",
    "Annotation",
    "ApiKey",
    "Asset",
    "Checkpoint",
    "Contribution",
    "Dataset",
    "DatasetAsset",
    "Issue",
    "IssueComment",
    "Label",
    "LabelMasks",
    "LabelSet",
    "LastSignal",
    "LedgerChunk",
    "LogHead",
    "LoginAttempts",
    "Mask",
    "MaskFile",
    "Member",
    "OrganizationMember",
    "Person",
    "PersonKey",
    "Sample",
    "SampleCount",
    "SampleStatus",
    "SecurityTally",
    "SigningKey",
    "StatusCount",
    "StoredEvent",
    "UnsavedWork",
    "Webhook",
    "WebhookCursor",
    "WebhookDelivery",
    "WorkUnit",
]


class Person(AbstractUser):
    """Somebody who causes events: a person, an organisation or a service. The log knows only the id."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    is_organization = models.BooleanField(default=False)
    erased_at = models.DateTimeField(null=True, editable=False)

    class Meta(AbstractUser.Meta):
        verbose_name = "person"
        verbose_name_plural = "people"


class PersonKey(models.Model):
    """The key that a person's free text is encrypted with. Destroying it erases the text; the chain still holds."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.OneToOneField(Person, on_delete=models.CASCADE, related_name="text_key")
    secret = models.BinaryField(null=True)
    destroyed_at = models.DateTimeField(null=True)


class ApiKey(models.Model):
    """A key for the API, kept as a SHA-256 hash only (keys are random, so a slow hash would add nothing).

    `scope` and `origin` are of rules.access. `last_used_at` is right to the hour, and no event.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100, blank=True)
    scope = models.CharField(max_length=10, default="manage")
    origin = models.CharField(max_length=10, default="person")
    hash = models.BinaryField(unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.name or "unnamed"


class AddressSecret(models.Model):
    """What the network addresses that the security log names in one month are hashed with. Destroying it makes them
    say nothing any more, not even which of them are the same; the chain still holds."""

    month = models.CharField(max_length=7, primary_key=True)
    secret = models.BinaryField(null=True)
    destroyed_at = models.DateTimeField(null=True)


class LoginAttempts(models.Model):
    """How often one username failed to log in from one address; both only as a keyed hash. Forgotten after a while."""

    source = models.CharField(max_length=64, primary_key=True)
    count = models.IntegerField()
    last_at = models.DateTimeField(db_index=True)


class SecurityTally(models.Model):
    """What happened again within a minute, and is not yet told in the security log (commands.security)."""

    minute = models.DateTimeField()
    source = models.CharField(max_length=64)
    grouping = models.CharField(max_length=64)
    type = models.CharField(max_length=50)
    data = models.JSONField()
    author = models.UUIDField()
    author_kind = models.CharField(max_length=10)
    untold = models.IntegerField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["minute", "source"], name="security_tally_source")]
        indexes = [models.Index(fields=["minute", "grouping"], name="security_tally_grouping")]


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
        indexes = [models.Index(fields=["sha256"], name="uploads_by_content")]


class Projected(models.Model):
    """What every row of a fold has: the log that it belongs to, and where in it the row changed last."""

    dataset_id = models.UUIDField(db_index=True)
    last_offset = models.BigIntegerField()

    class Meta:
        abstract = True


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


class OrganizationMember(models.Model):
    """A person's role in an organisation. `log` is the installation's."""

    id = models.UUIDField(primary_key=True, editable=False)
    log = models.UUIDField()
    last_offset = models.BigIntegerField()
    organization_id = models.UUIDField()
    person_id = models.UUIDField(db_index=True)
    role = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization_id", "person_id"], name="organization_member_once")
        ]


class SigningKey(models.Model):
    """A key that the installation signs with: its public half, in hex, and when it was in use. `log` is the
    installation's."""

    id = models.UUIDField(primary_key=True, editable=False)
    log = models.UUIDField()
    last_offset = models.BigIntegerField()
    key = models.TextField(unique=True)
    public = models.TextField()
    added_offset = models.BigIntegerField()
    added_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.key


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


class Label(Projected):
    """The header of a label: everything but its annotations. Its id is derived from sample and label set."""

    dataset_id = models.UUIDField()  # both indexes below begin with it
    id = models.UUIDField(primary_key=True, editable=False)
    sample_id = models.UUIDField(db_index=True)
    label_set_id = models.UUIDField()
    version = models.BigIntegerField()
    status = models.TextField()
    score = models.FloatField(null=True)
    scene = StoredJSON()
    classifications = StoredJSON()
    default_classification = models.BigIntegerField(null=True)
    mask = StoredJSON(null=True)
    document = StoredJSON(null=True)
    last_id = models.BigIntegerField()
    last_order = models.FloatField()
    deleted = models.BooleanField()
    created_by = models.UUIDField()
    created_at = models.DateTimeField()
    updated_by = models.UUIDField()
    updated_at = models.DateTimeField()
    reviewed_by = models.UUIDField(null=True)
    reviewed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["dataset_id", "label_set_id", "status"], name="label_by_status"),
            # The order of updated_at, without ties: both are of the label's last event.
            models.Index(
                fields=["dataset_id", "label_set_id", "last_offset"],
                condition=models.Q(deleted=False),
                name="label_by_update",
            ),
        ]


class Annotation(Projected):
    """One object of a label. `data` holds what no query asks for: geometry, attributes, keypoints, origin …

    The key is derived from label and uuid, so that a uuid that somebody sends to another label can never take over
    this row.
    """

    key = models.UUIDField(primary_key=True, editable=False)
    uuid = models.UUIDField()
    label_id = models.UUIDField()
    id = models.BigIntegerField()
    category_id = models.BigIntegerField(null=True)
    type = models.TextField()
    order = models.FloatField()
    version = models.BigIntegerField()
    data = StoredJSON()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["label_id", "id"], name="annotation_id_taken"),
            models.UniqueConstraint(fields=["uuid"], name="annotation_uuid_taken"),
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
        indexes = [
            models.Index(fields=["dataset_id", "token"], name="asset_by_token"),
            models.Index(fields=["sha256"], name="asset_by_content"),
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


class IssueComment(Projected):
    """An answer to an issue, encrypted with its writer's key."""

    id = models.UUIDField(primary_key=True, editable=False)
    issue_id = models.UUIDField(db_index=True)
    version = models.BigIntegerField()
    text = models.TextField()
    created_by = models.UUIDField()
    created_at = models.DateTimeField()


class Webhook(models.Model):
    """A subscription of another program; see rules.webhook_state. `log` is the dataset's, or the installation's."""

    id = models.UUIDField(primary_key=True, editable=False)
    log = models.UUIDField(db_index=True)
    last_offset = models.BigIntegerField()
    version = models.BigIntegerField()
    owner_id = models.UUIDField(null=True)
    address = models.TextField()
    types = StoredJSON()
    label_sets = StoredJSON()
    name = models.TextField()
    paused = models.BooleanField()
    removed = models.BooleanField()
    generation = models.BigIntegerField()
    secret_at = models.DateTimeField()
    created_offset = models.BigIntegerField()
    created_by = models.UUIDField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()


class WebhookCursor(models.Model):
    """How far a dataset's log is told to a webhook, and what comes next. No projection, but what happened outside: it
    says what a host took. Everything up to `offset` was taken, or was not asked for.

    `lease` is whose turn it is, until `leased_until`; nobody else tells this webhook of this log meanwhile.
    """

    class State(models.TextChoices):
        """Whether it goes on by itself."""

        ACTIVE = "active"
        STOPPED = "stopped"  #: too many failures; it waits for somebody

    webhook_id = models.UUIDField()
    log = models.UUIDField()
    offset = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    failures = models.IntegerField(default=0)
    reason = models.TextField(blank=True)
    next_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    last_ms = models.IntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["webhook_id", "log"], name="one_webhook_cursor_a_log")]


class WebhookDelivery(models.Model):
    """One message to a webhook, and what became of it; nothing of what was said, or of what was answered.

    `offset` is 0 and `log` null for a ping. Kept for a time only.
    """

    class State(models.TextChoices):
        """What became of it."""

        WAITING = "waiting"
        DELIVERED = "delivered"
        FAILING = "failing"
        DEAD = "dead"

    webhook_id = models.UUIDField()
    log = models.UUIDField(null=True)
    offset = models.BigIntegerField()
    message = models.CharField(max_length=40)
    type = models.CharField(max_length=50)
    state = models.CharField(max_length=10, choices=State.choices)
    attempts = models.IntegerField(default=0)
    status_code = models.IntegerField(null=True)
    duration_ms = models.IntegerField(null=True)
    problem = models.TextField(blank=True)
    first_at = models.DateTimeField(auto_now_add=True)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["webhook_id", "message"], name="one_delivery_a_message")]
        indexes = [models.Index(fields=["webhook_id", "last_at"], name="delivery_by_time")]


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
        indexes = [models.Index(fields=["dataset_id", "at"], name="activity_by_time")]


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


class LabelSnapshot(Projected):
    """The whole state of a label at one of its versions (`rules.packing`), for reads of the past. Filled by a catch-up
    projector."""

    id = models.UUIDField(primary_key=True, editable=False)
    stream = models.TextField(db_collation="C")
    version = models.BigIntegerField()
    state = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["stream", "version"], name="snapshot_of_label")]


class LabelMasks(Projected):
    """Of which state of a label its masks are, and how many pictures it has. Its id is the label's.

    `version` is the label's; `categories_offset` the offset of the last change of the dataset's categories before the
    label's last event, which is what the masks were made with. Where not every picture has a `Mask`, `made` is less
    than `pictures`: a long sequence's are made when they are asked for. Filled by a catch-up projector.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    sample_id = models.UUIDField(db_index=True)
    version = models.BigIntegerField()
    categories_offset = models.BigIntegerField()
    pictures = models.IntegerField()
    made = models.IntegerField()


class Mask(models.Model):
    """The masks of one picture of a label: `keys` names each kind's file, `segments` is what is seen of each object.

    `content` is a hash of all that they depend on. Where there are none, `problem` says why.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    dataset_id = models.UUIDField(db_index=True)
    label_id = models.UUIDField()
    picture = models.IntegerField()
    width = models.IntegerField()
    height = models.IntegerField()
    content = models.TextField()
    keys = StoredJSON()
    segments = StoredJSON()
    problem = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["label_id", "picture"], name="mask_of_label")]


class MaskFile(models.Model):
    """The stored PNG file of a mask, by what names its pixels. No projection, but what is in storage: the same pixels
    may be packed in other bytes by another machine, and are made only once.
    """

    pk = models.CompositePrimaryKey("dataset_id", "key")
    dataset_id = models.UUIDField()
    key = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["sha256"], name="mask_file_by_hash")]


class Contribution(models.Model):
    """What one author did to a dataset on one day (UTC), counted by event type. Filled by a catch-up projector."""

    id = models.UUIDField(primary_key=True, editable=False)
    dataset_id = models.UUIDField(db_index=True)
    author = models.UUIDField()
    author_kind = models.TextField()
    day = models.DateField()
    counts = StoredJSON()
