"""The tables of sequences, which projectors fill from the log."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from labeling.log.models import StoredJSON


class Track(models.Model):
    """One object's identity over the frames of a sequence. `data` holds what no query asks for: its entries by frame,
    its order, its origin …

    The key is derived from label and uuid, as an annotation's is.
    """

    dataset_id = models.UUIDField(db_index=True)
    last_offset = models.BigIntegerField()
    key = models.UUIDField(primary_key=True, editable=False)
    uuid = models.UUIDField()
    label_id = models.UUIDField(db_index=True)
    track_id = models.BigIntegerField()
    sensor = models.IntegerField(null=True)
    category_id = models.BigIntegerField(null=True)
    version = models.BigIntegerField()
    data = StoredJSON()


class TrackFrames(models.Model):
    """The dense frames of a track, as an actor computed them: those of one version of the track, by one clock.

    `data`, `starts` and `ends` are `rules.dense.Packed`; `starts` is empty where the frames are too many to be kept.
    The key is the track's.
    """

    dataset_id = models.UUIDField(db_index=True)
    last_offset = models.BigIntegerField()
    key = models.UUIDField(primary_key=True, editable=False)
    label_id = models.UUIDField(db_index=True)
    version = models.BigIntegerField()
    clock = models.BinaryField()
    order = models.FloatField()
    data = models.BinaryField()
    starts = ArrayField(models.IntegerField())
    ends = ArrayField(models.IntegerField())
