"""Labels, their annotations, snapshots and masks."""

from __future__ import annotations

from django.db import models

from labeling.log.models import StoredJSON
from labeling.models.projected import Projected


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
    last_bucket = models.BigIntegerField()  # which 1024 offsets last_offset is one of, from 1 on

    class Meta:
        indexes = [
            # The order of updated_at, which is that of last_offset: both are of the label's last event. An index of
            # last_offset itself would make PostgreSQL write a new entry in every index of the label at every edit, a
            # quarter of its cost; a bucket of 1024 offsets holds 1024 labels at most, which a page sorts.
            models.Index(fields=["dataset_id", "label_set_id", "last_bucket"], name="label_by_update"),
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
