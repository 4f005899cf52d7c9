"""What every row of a fold has."""

from __future__ import annotations

from django.db import models


class Projected(models.Model):
    """What every row of a fold has: the log that it belongs to, and where in it the row changed last."""

    dataset_id = models.UUIDField(db_index=True)
    last_offset = models.BigIntegerField()

    class Meta:
        abstract = True
