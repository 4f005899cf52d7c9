"""The names of today of what a difference is about, and each change in words."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from labeling.models import LabelSet, Sample
from labeling.queries.labels import names_of
from releases.comparing import said

JSON = dict[str, Any]

#: Names are looked up for so many entries at a time.
BATCH = 100
WHOLE = {"label": "the label", "sample": "the sample", "dataset": "the dataset"}


def named(entries: Iterable[JSON], categories: Mapping[int, str], *, batch_size: int = BATCH) -> Iterator[JSON]:
    """Each entry with the names of its sample, label set and people, and with its changes in words."""
    found = iter(entries)
    while batch := list(islice(found, batch_size)):
        samples = dict(Sample.objects.filter(id__in=_ids(batch, "sample")).values_list("id", "name"))
        label_sets = dict(LabelSet.objects.filter(id__in=_ids(batch, "label_set")).values_list("id", "name"))
        people = names_of({uuid.UUID(person) for entry in batch for person in entry["authors"]})
        by_text = {str(person): name for person, name in people.items()}
        for entry in batch:
            whole = WHOLE[entry["stream"].split("/")[0]]
            changes = [
                change
                | {
                    "people": [by_text.get(person, person) for person in change["authors"]],
                    "words": said(change, categories, whole=whole),
                }
                for change in entry["changes"]
            ]
            yield entry | {
                "sample_name": samples.get(uuid.UUID(entry["sample"])) if entry["sample"] else None,
                "label_set_name": label_sets.get(uuid.UUID(entry["label_set"])) if entry["label_set"] else None,
                "people": [by_text.get(person, person) for person in entry["authors"]],
                "changes": changes,
            }


def _ids(batch: list[JSON], key: str) -> set[uuid.UUID]:
    return {uuid.UUID(entry[key]) for entry in batch if entry[key]}
