"""The tables of sequences, which projectors fill from the log."""

from __future__ import annotations

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
