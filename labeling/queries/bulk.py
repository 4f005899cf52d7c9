"""Many samples at once: what a bulk change needs to know of each, and the headers of their labels."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from labeling.models import Label, LabelSet
from labeling.queries.datasets import JOIN_ROLE, ROLE
from labeling.queries.labels import HEADER
from labeling.rules.bulk import Now
from labeling.rules.dataset_state import GROUND_TRUTH
from labeling.rules.label_ids import label_stream
from labeling.rules.label_state import LabelState


@dataclass(frozen=True, slots=True)
class Listed:
    """A sample in what a bulk change is about, and its dataset as one person sees it."""

    sample: uuid.UUID
    name: str
    dataset: uuid.UUID
    public: bool
    role: str | None
    now: Now


def listed(samples: Sequence[uuid.UUID], *, person: uuid.UUID) -> list[Listed]:
    """Those of `samples` that are there, by dataset and name. Whether `person` may see one is the caller's to check."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT s.id, s.name, d.id, d.public, {ROLE},"
            " CASE WHEN l.deleted THEN NULL ELSE l.status END, s.priority, s.assigned_labeler, s.assigned_reviewer"
            "  FROM labeling_sample s JOIN labeling_dataset d ON d.id = s.dataset_id AND NOT d.deleted"
            f" {JOIN_ROLE.format('%s')}"
            "  LEFT JOIN labeling_labelset ls ON ls.dataset_id = d.id AND ls.kind = %s AND NOT ls.archived"
            "  LEFT JOIN labeling_label l ON l.sample_id = s.id AND l.label_set_id = ls.id"
            " WHERE s.id = ANY(%s) AND NOT s.archived ORDER BY d.id, s.name",
            [person, GROUND_TRUTH, list(samples)],
        )
        return [Listed(row[0], row[1], row[2], row[3], row[4], Now(*row[5:])) for row in cursor.fetchall()]


def ground_truth(dataset: uuid.UUID) -> uuid.UUID:
    """The label set that every dataset has."""
    return LabelSet.objects.get(dataset_id=dataset, kind=GROUND_TRUTH, archived=False).id


def headers_of(dataset: uuid.UUID, label_set: uuid.UUID, samples: Sequence[uuid.UUID]) -> dict[uuid.UUID, LabelState]:
    """{sample: the state of its label, without annotations}; of one that never had a label, an empty state."""
    rows = {row.sample_id: row for row in Label.objects.filter(sample_id__in=samples, label_set_id=label_set)}
    found = {}
    for sample in samples:
        state = LabelState(dataset=dataset, stream=label_stream(sample, label_set), complete=False)
        row = rows.get(sample)
        if row is not None:
            for name in HEADER:
                setattr(state, name, getattr(row, name))
            state.exists = not row.deleted
        found[sample] = state
    return found
